"""Image generators: baselines that replay real tissue, folders of images, diffusers pipelines and HTTP endpoints."""
