"""Wren's image codec: pictures, a judge that names what is in them, training, evaluation, export."""
