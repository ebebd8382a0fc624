"""Public pathology data sets in the layouts that they are published in: one table of facts over a few readers.

:mod:`.sets` is the table, and each entry of it is the registered suite; :mod:`.tree`, :mod:`.stacks`,
:mod:`.annotations`, :mod:`.mapped` and :mod:`.slides` read the layouts.
"""
