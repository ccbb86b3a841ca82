"""The two-phase common fake feature network on DFDC (Salpekar), after Hsu, Zhuang, Lee 2020."""
