// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module parameters. Those of the kernel crate's module! macro are set when the module is loaded and never shown;
 * these are in /sys/module/nlb/parameters, where root reads and changes them while clusters exist.
 */
#include <linux/moduleparam.h>

#include "helpers.h"

static bool allow_user_namespaces;
module_param(allow_user_namespaces, bool, 0644);
MODULE_PARM_DESC(allow_user_namespaces,
		 "allow clusters in network namespaces of other user namespaces than the initial one (default: N)");

static unsigned int user_clusters_max = NLB_USER_CLUSTERS_MAX;
module_param(user_clusters_max, uint, 0644);
MODULE_PARM_DESC(user_clusters_max,
		 "clusters that a user may have there, in all namespaces together (default: 16)");

bool nlb_helper_param_user_namespaces(void)
{
	return READ_ONCE(allow_user_namespaces);
}

u32 nlb_helper_param_user_clusters_max(void)
{
	return READ_ONCE(user_clusters_max);
}
