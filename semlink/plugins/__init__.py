"""User classes: found by module path, by file path, or by entry point, checked, and fitted to their interface."""

from semlink.plugins.adapter import adapted as adapted
from semlink.plugins.files import fingerprint as fingerprint, load_class as load_class
