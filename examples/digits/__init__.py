"""Written digits: a model of scikit-learn, a scoring script that serves it, and a client."""
