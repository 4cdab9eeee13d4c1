"""The checks: a file each, whose `NAME` is what findings and reports call it.

A check is a function from facts to findings. To add one, write it here and give it its facts in
`coatcheck.doctor.examination`.
"""
