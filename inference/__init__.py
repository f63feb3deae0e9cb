"""Using trained models: reading pictures and predicting."""
