"""What a training may be told: names, ranges and defaults of AutoML for Images, and a few of ours."""
