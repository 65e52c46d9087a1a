# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Calls of nlb to the kernel that are refused on request, one at a time, by the
# module qemu-tests/bench/refuse: allocations, and registrations that need not
# allocate. On any kernel; lib/fault.sh reaches the allocations inside of what
# the kernel does for nlb, on the debug kernel.

REFUSE=/sys/module/refuse/parameters

# What nlb imports and may be refused, with what it answers then. ENOMEM is 12;
# 0 is a null pointer, or false.
REFUSABLE="
nf_register_net_hook:-12 genl_register_family:-12 register_pernet_device:-12 register_pm_notifier:-12 register_random_vmfork_notifier:-12
register_netdevice_notifier:-12 register_inetaddr_notifier:-12 register_inet6addr_notifier:-12
register_module_notifier:-12 rtnl_link_register:-12 alloc_netdev_mqs:0 register_netdevice:-12 netdev_rx_handler_register:-16 dev_open:-12 dev_mc_add:-12 dev_uc_add:-12 ipv6_dev_mc_inc:-12
netlink_unicast:-105 netlink_broadcast_filtered:-105 nla_put:-90
try_module_get:0 genlmsg_put:0 __alloc_skb:0 __kvmalloc_node_noprof:0 pcpu_alloc_noprof:0
rust_helper_krealloc_node_align:0 rust_helper_kvrealloc_node_align:0 rust_helper_vrealloc_node_align:0
"

# unfailing NAME: true for what nlb imports and cannot fail: it gives back,
# locks, reads, waits, or has a failure that is a packet's and no request's.
unfailing() {
	case $1 in
	unregister_* | genl_unregister_* | nf_unregister_* | *_del | *_dec | *_dec_group | *_put | *_free | free_*) ;;
	*_lock* | *_unlock* | *_assert_is_held | *_init | *_init_key | rcu_* | *_rcu | *_rcu_* | synchronize_* | cancel_* | hrtimer_*) ;;
	__SCT__* | __x86_* | __fentry__ | __stack_chk_* | __ref_stack_* | __ubsan_* | __preempt_count | __per_cpu_offset) ;;
	mem* | bcmp | strcmp | jiffies | nr_cpu_ids | __cpu_* | _find_* | __msecs_* | ktime_* | get_random_bytes | __crypto_memneq) ;;
	system_* | queue_* | delayed_work_timer_fn | const_current_task | *_active_memcg | get_mem_cgroup_from_mm | module_put) ;;
	refcount_* | rust_helper_refcount_* | rust_helper_REFCOUNT_* | rust_helper_IS_ERR | rust_helper_PTR_ERR | rust_helper_atomic* | __local_bh_* | rtnl_*) ;;
	skb_* | *_skb_* | consume_skb | __dev_queue_xmit | sock_gen_put | *_lookup_* | __cookie_* | nf_conntrack_destroy) ;;
	init_user_ns | netlink_net_capable | param_ops_* | hmac_* | netdev_* | net_ratelimit | __dev_get_by_index | l3mdev_* | ipv6_chk_* | inet_addr_type_* | netlink_has_listeners | kset_find_obj | kobject_put) ;;
	# What a kernel with checks has besides. A reference that cannot be tracked counts all the same.
	__asan_* | __kasan_* | __might_* | __init_work | current_task | lock_acquire | lock_release | lockdep_* | ref_tracker_alloc) ;;
	# Joins a group as far as memory allows, and has no answer.
	ip_mc_inc_group) ;;
	# What those say who are told that groups are to be reported is ignored.
	call_netdevice_notifiers) ;;
	# That there is no such module is an answer.
	__symbol_get) ;;
	# Code of the kernel's Rust crates.
	_R*) ;;
	*) return 1 ;;
	esac
}

# refusable NAME
refusable() {
	[[ $REFUSABLE =~ [[:space:]]"$1": ]]
}

# refuse_load PROGRAM: from now on calls of a program of this name can be refused.
refuse_load() {
	local one functions=()
	for one in $REFUSABLE; do
		if grep -qx -- "${one%:*}" /nlb/nlb.imports; then
			functions+=("$one")
		fi
	done
	# Where it begins to refuse is the same each time.
	RANDOM=$SEED
	insmod /nlb/refuse.ko program="$1" functions="$(IFS=, && printf '%s' "${functions[*]}")"
	defer rmmod refuse
}

# refuse_calls: how many calls there were since the last refuse_nth.
refuse_calls() {
	cat "$REFUSE/calls"
}

# refuse_nth N: the Nth call from now on is refused; 0: none.
refuse_nth() {
	echo 0 >"$REFUSE/calls"
	echo "$1" >"$REFUSE/nth"
}

# refuse_each AFTER CMD…: run CMD again and again, each time with another call
# refused, until all go well; and "AFTER CODE" each time. Every REFUSE_STEPth call
# is tried, from a random one on. REFUSED is then how many were refused. What CMD
# says is in /run/test/out.
REFUSE_STEP=1
refuse_each() {
	local after=$1 n code calls
	shift
	REFUSED=0
	for ((n = 1 + RANDOM % REFUSE_STEP; ; n += REFUSE_STEP)); do
		refuse_nth "$n"
		code=0
		"$@" >/run/test/out 2>&1 || code=$?
		calls=$(refuse_calls)
		refuse_nth 0
		if [ "$calls" -lt "$n" ]; then
			same "${*:2}: of $calls calls none is refused: exit code" 0 "$code"
			"$after" "$code"
			return
		fi
		REFUSED=$((REFUSED + 1))
		note "call $n ($(<"$REFUSE/refused")) refused: exit code $code: $(tail -n 1 /run/test/out)"
		"$after" "$code"
	done
}
