<?php // SPDX-License-Identifier: GPL-2.0-only
// /var/www/html/cart.php: what a client has put into its cart is in a file of this host, as PHP does by itself.
session_start();
$_SESSION['items'] = ($_SESSION['items'] ?? 0) + 1;
echo "{$_SESSION['items']} items\n", gethostname(), "\n";
