"""The regression gate: is a run worse than a baseline by more than noise and more than anybody would mind?"""
