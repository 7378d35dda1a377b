// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>

__rust_helper void rust_helper_put_page(struct page *page)
{
	put_page(page);
}
