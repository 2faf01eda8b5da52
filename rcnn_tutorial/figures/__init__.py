"""Still pictures of every stage: tensors in, a matplotlib Figure (or a Pillow image) out."""
