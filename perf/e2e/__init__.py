# SPDX-License-Identifier: BSD-2-Clause
"""End-to-end ratios: the mesh and its peers over the same path. See ../END_TO_END.md."""
