<?php // SPDX-License-Identifier: GPL-2.0-only
// /var/www/html/read.php: a page that only reads what its own host has.
$total = 0;
for ($item = 1; $item <= 100; $item++) {
    $total += crc32("item $item") % 100;
}
echo "100 items for $total\nhost ", file_get_contents('/var/www/html/host'), "\n";
