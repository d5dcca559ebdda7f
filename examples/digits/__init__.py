"""Written digits: a model of scikit-learn, the scoring script that serves it, and a client."""
