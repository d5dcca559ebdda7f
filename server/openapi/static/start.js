// Paths are relative to /docs, so that the page also works behind a proxy that adds a prefix.
const described = new URL("openapi.json", location.href).href;

// The description names the address that the server was reached by, which a proxy may have changed: the page's own
// requests go where the page came from.
function withRelativeServer(response) {
  if (response.url === described && response.ok) {
    response.text = JSON.stringify({ ...JSON.parse(response.text), servers: [{ url: "." }] });
  }
  return response;
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  responseInterceptor: withRelativeServer,
  validatorUrl: null, // the default asks a service on the internet
});
