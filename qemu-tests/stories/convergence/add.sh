# SPDX-License-Identifier: GPL-2.0-only
# On a host that is added, with the packages, the key and the file.
systemctl enable --now nlb@web
