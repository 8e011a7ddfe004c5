"""Speed of the parts that matter, each as a ratio to a named peer measured in the same run."""
