"""Wren's language model: grammar, data, training, evaluation."""
