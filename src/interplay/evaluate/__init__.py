"""Stage evaluate: generated videos -> answers in a ledger -> KISA, SGI, SPI and IF, with n scored of n.

``protocol`` holds questions and answers, ``judges`` who answers them, ``ledger`` what was answered, ``scores`` the
formulas, and ``run`` the stage.
"""
