"""Wren's audio codec and ears: data, training, evaluation."""
