"""What the house costs and how fast it is, measured on the machine at hand: ``make bench``.

Takes   the checkout; starts a house of its own, each part a process, with the tiny seed.
Gives   tables on the terminal, ``results/latest.json``, and with ``--write-readme`` the page beside this file.
Never   asserts a speed, and is never part of the tests. A figure from a failed request is an error of the bench.
Theory  Figures of one run compare with each other and with nothing else, so what is compared is measured in alternating
        slices. CPU time stands beside wall time, because it moves less on a shared machine. The gateway has a core of
        its own; what asks and what answers have the others.

``workloads/`` says what is measured, one module a subject; ``meters`` reads processes, ``pinning`` gives them cores,
``load`` asks many times, ``client`` asks once, ``direct`` knows the subgraph requests behind an operation, ``results``
are the notes all of them write, ``report`` shows these, ``runner`` does it all in order.
"""
