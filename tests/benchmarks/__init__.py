"""What the house costs and how fast it is, measured on the machine at hand: ``make bench``.

Figures of one run compare with each other and with nothing else. CPU time comes first, because it moves less than wall
time on a shared machine. Every answer is checked: a figure from a failed request would be a lie.
"""
