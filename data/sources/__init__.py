"""Where the images of a data set are: on this machine, in a store, on the web, in the URL itself."""
