"""MesoInception-4 with an RBF SVM (Vemana, Quidwai, Shyamsukha), after MesoNet (Afchar et al. 2018)."""
