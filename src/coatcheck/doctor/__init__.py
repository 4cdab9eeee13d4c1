"""What `coatcheck doctor` does: gather facts about an application and its store, and judge them.

What judges is in `checks`, a file a check, each a function from facts to findings without any I/O.
"""
