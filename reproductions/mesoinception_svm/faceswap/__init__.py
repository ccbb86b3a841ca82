"""The face swap of the paper's Figure 1: two autoencoders with one encoder, and a data set made by them."""
