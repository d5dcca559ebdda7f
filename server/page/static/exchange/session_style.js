/** How a session file looks, on screen and on paper. */

export const STYLE = `
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.45; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
section { margin-top: 2rem; border-top: 1px solid GrayText; break-before: page; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 1rem; margin: 0.5rem 0; }
dd { margin: 0; }
.frame { position: relative; width: 100%; max-width: 40rem; border: 1px solid GrayText; overflow: hidden; }
.frame > img, .frame > svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.frame > p { padding: 0.5rem; }
.stored { image-orientation: none; }
.turned { image-orientation: from-image; }
path { fill: none; fill-rule: evenodd; stroke: #fff; stroke-width: 2px; vector-effect: non-scaling-stroke; }
path.edge { stroke: #000; stroke-width: 5px; }
.tag { position: absolute; padding: 0 0.3em; background: #000; color: #fff; font-size: 0.8rem; }
.error { border-left: 4px solid #c33; padding-left: 0.6rem; }
table { border-collapse: collapse; margin: 0.5rem 0; }
th, td { padding: 0.15rem 0.75rem 0.15rem 0; text-align: left; vertical-align: top; }
`;
