"""Checks: what a change of the graph does to those who use it.

Takes: two supergraphs and the registered operations. Gives: ``Check``: changes by coordinate with their severity and who
is hit, operations that stop being valid, and what becomes of each operation's plan. Never: composes, or sends anything.
"""

from gateway.checks.check import Check, OperationChange, check
from gateway.checks.operations import RegisteredOperation, registered

__all__ = ["Check", "OperationChange", "RegisteredOperation", "check", "registered"]
