#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the documentation as a site: build/site/index.html. Its pages are README.md and docs/, in the order of
# docs/SUMMARY.md; what they link to beside these is named, and is in the sources. Fails where a page that is linked
# to does not exist, or a place in one.

. "$(dirname "$0")/lib.sh"

"$NLB_ROOT/scripts/setup-site.sh"
cd "$NLB_ROOT"
pages=build/site-pages
rm -rf -- "$pages" build/site
mkdir -p "$pages/src"
cp -r docs/. "$pages/src/"
# The front page is the README, whose links to docs/ lead to its neighbours there.
sed -E 's/\]\(docs\//](/g' README.md >"$pages/src/README.md"
sed -i 's/(\.\.\/README\.md)/(README.md)/' "$pages/src/SUMMARY.md"
# mdBook calls the front page of a folder so.
mv "$pages/src/recipes/README.md" "$pages/src/recipes/index.md"
sed -i 's/(README\.md/(index.md/g' "$pages/src/recipes"/*.md
sed -i 's/recipes\/README\.md/recipes\/index.md/g' "$pages/src"/*.md
# A link to a file of the sources that is no page is its name.
find "$pages/src" -name '*.md' -exec sed -i -E \
	's/\]\(\.\.\/README\.md/](index.md/g; s/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g; s/\[([^]]*)\]\((CONTRIBUTING\.md|LICENSE)[^)]*\)/\1/g' {} +
cat >"$pages/book.toml" <<-'END'
	[book]
	title = "nlb"
	description = "Network load balancing without a balancer, on Linux"
	language = "en"
	[output.html]
	no-section-label = true
END
make_book() {
	(NLB_TREE=$NLB_SITE_TREE exec_in_tree "$NLB_ROOT" mdbook build --dest-dir "$NLB_ROOT/build/site" "$pages")
}
logged build/site.log make_book
scripts/enter.sh python3 -B scripts/check-site.py build/site
say "build/site/index.html: $(find build/site -name '*.html' | wc -l) pages"
