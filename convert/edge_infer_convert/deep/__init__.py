"""Deep models: tensors in, tensors out. What a frontend exports is cleaned, held against its original, and packaged."""
