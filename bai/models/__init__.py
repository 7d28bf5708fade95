"""The mixture-of-experts language model, its tokenizer and its decoding."""
