-- SPDX-License-Identifier: GPL-2.0-only
--
-- Wireshark and tshark: the frames that hosts of an nlb cluster send each other, as docs/protocol.md describes them.
--
--   EtherType 0x88b5         frames on the segment
--   IP protocol 254          the same inside IP, where the EtherType is filtered
--   IP protocol 253          probes of delivery
--   UDP                      the second path (nlbadm relay): found by what they look like, or by "Decode As… NLB"
--
-- Tags are not checked: that takes the key.

local HEADER_LEN = 44
local TAG_LEN = 16
local FRAME_MAX = 1500
local HOSTS_MAX = 64
local SLOTS_MAX = 65
local PART_BUCKETS = 1024
local VERSION_MAX = 2
local HOP_LIMIT = 255

-- BEGIN of what "make generate" writes, from module/specs/nlb.yaml
local STATES = {
    [0] = "stopped",
    [1] = "joining",
    [2] = "converged",
    [3] = "draining",
    [4] = "suspended",
}
local OUT_REASONS = {
    [0] = "none",
    [1] = "dead",
    [2] = "left",
    [3] = "duplicate-id",
    [4] = "rules-differ",
    [5] = "settings-differ",
    [6] = "version",
    [7] = "key",
    [8] = "not-fresh",
    [9] = "flapping",
    [10] = "no-link",
    [11] = "interface-cut",
    [12] = "vip-missing",
    [13] = "listening",
    [14] = "map-refused",
    [15] = "starved",
    [16] = "served-elsewhere",
}
local CAUSES = {
    [0] = "cold-start",
    [1] = "joined",
    [2] = "died",
    [3] = "left",
    [4] = "draining",
    [5] = "weight",
    [6] = "rules",
    [7] = "merged",
    [8] = "interface",
    [9] = "restarted",
    [10] = "recovered",
    [11] = "health",
    [12] = "settings",
}
-- END of it

local KINDS = {
    [1] = "heartbeat",
    [2] = "change",
    [3] = "map-request",
    [4] = "map-part",
    [5] = "inputs",
    [6] = "residue",
    [7] = "residue-request",
}

local PHASES = {
    [0] = "idle",
    [1] = "fetching",
    [2] = "ready",
    [3] = "released",
    [4] = "refused-base",
    [5] = "refused-result",
    [6] = "refused-rules",
}

local STEPS = { [1] = "prepare", [2] = "release", [3] = "commit" }

local nlb = Proto("nlb", "Network Load Balancing")
local wrap = Proto("nlbwrap", "Network Load Balancing, frame inside IP")
local probe = Proto("nlbprobe", "Network Load Balancing, probe of delivery")

-- Fields, by the name after "nlb."
local F = {}

local function field(kind, name, text, ...)
    F[name] = ProtoField[kind]("nlb." .. name, text, ...)
end

-- A set of hosts: its bits, and each host that is in it.
local function host_set(name, text)
    field("uint64", name, text, base.HEX)
    field("uint8", name .. ".host", "Host", base.DEC)
end

-- A generation has three fields.
local function generation(name, text)
    field("none", name, text)
    field("uint64", name .. ".number", "Number", base.DEC)
    field("uint8", name .. ".leader", "Leader", base.DEC)
    field("uint64", name .. ".incarnation", "Incarnation of the leader", base.HEX)
end

field("string", "magic", "Magic")
field("uint8", "version", "Version", base.DEC)
field("uint8", "version.min", "Lowest version of the sender", base.DEC)
field("uint8", "version.max", "Highest version of the sender", base.DEC)
field("uint8", "kind", "Kind", base.DEC, KINDS)
field("uint8", "key_id", "Key id", base.DEC)
field("uint8", "host", "Host id of the sender", base.DEC)
field("uint64", "cluster_id", "Cluster id", base.HEX)
field("uint64", "incarnation", "Incarnation", base.HEX)
field("uint64", "seq", "Sequence", base.DEC)
field("uint16", "length", "Length", base.DEC)
field("uint16", "flags", "Flags", base.HEX)
field("bool", "flags.serving", "Serves in a view", 16, nil, 0x0001)
field("uint64", "stamp", "Stamp", base.HEX)
field("bytes", "tag", "Tag")
field("bytes", "unknown", "Bytes of a later version")
field("bytes", "padding", "Padding")

field("uint8", "heartbeat.state", "State", base.DEC, STATES)
field("uint8", "heartbeat.out", "Out", base.DEC, OUT_REASONS)
field("uint16", "heartbeat.flags", "Flags", base.HEX)
local HEARTBEAT_FLAGS = {
    { "listened", "Has listened" },
    { "deficit", "Owns less than its map says" },
    { "cut", "Cluster interface cut" },
    { "vip_missing", "VIP missing" },
    { "draining", "Draining" },
    { "leaving", "Leaving" },
    { "duplicate", "Its id is another's" },
    { "segment_alive", "Hears the segment" },
    { "idle", "Takes no buckets" },
    { "starved", "Starved" },
    { "health", "Inputs last changed for health" },
}
for number, flag in ipairs(HEARTBEAT_FLAGS) do
    field("bool", "heartbeat.flags." .. flag[1], flag[2], 16, nil, 2 ^ (number - 1))
end
field("uint8", "heartbeat.follows", "Follows host", base.DEC)
field("uint8", "heartbeat.phase", "Phase of the proposal", base.DEC, PHASES)
host_set("heartbeat.links", "Links both ways")
generation("heartbeat.committed", "Committed generation")
host_set("heartbeat.members", "Its members")
field("uint64", "heartbeat.maps", "Digest of its maps", base.HEX)
generation("heartbeat.proposal", "Proposal")
field("uint64", "heartbeat.settings", "Digest of the settings", base.HEX)
field("uint64", "heartbeat.rules", "Digest of the rules and settings in force", base.HEX)
field("uint64", "heartbeat.staged_rules", "Digest of the staged rules and settings", base.HEX)
field("uint64", "heartbeat.residue", "Digest of the residue", base.HEX)
host_set("heartbeat.on_segment", "Heard on the segment")
field("uint32", "heartbeat.epoch", "Number of its inputs", base.DEC)
field("uint8", "heartbeat.weight", "Weight", base.DEC)
field("uint8", "heartbeat.staged_weight", "Weight under the staged rules", base.DEC)
field("uint8", "heartbeat.out_host", "Host that is out", base.DEC)
field("uint8", "heartbeat.out_host.reason", "Why", base.DEC, OUT_REASONS)
field("ipv4", "heartbeat.dedicated", "Dedicated IP")
field("ipv6", "heartbeat.dedicated6", "Dedicated IP")
field("uint8", "heartbeat.echo", "Echo of host", base.DEC)
field("uint64", "heartbeat.echo.incarnation", "Incarnation", base.HEX)
field("uint32", "heartbeat.echo.seq", "Low half of its sequence", base.DEC)

field("uint8", "change.step", "Step", base.DEC, STEPS)
field("uint64", "change.number", "Number of the proposed generation", base.DEC)
generation("change.base", "Computed from generation")
field("uint64", "change.base_maps", "Digest of the maps of that", base.HEX)
field("uint64", "change.maps", "Digest of the maps of the result", base.HEX)
field("uint64", "change.rules", "Digest of the rules and settings of the result", base.HEX)
field("uint8", "change.cause", "Cause", base.DEC, CAUSES)
field("uint8", "change.about", "About host", base.DEC)
field("uint8", "change.member", "Member", base.DEC)
field("uint64", "change.member.incarnation", "Incarnation", base.HEX)
field("uint32", "change.member.epoch", "Number of its inputs", base.DEC)

field("uint8", "map.asked", "Host that is asked", base.DEC)
generation("map.generation", "Generation")
field("uint8", "map.wants", "Wants", base.HEX)
field("bool", "map.wants.weights", "Weights", 8, nil, 0x01)
field("uint64", "map.missing", "Parts that are missing", base.HEX)
field("uint16", "map.missing.part", "Part", base.DEC)
field("uint16", "map.part", "Part", base.DEC)
field("uint16", "map.buckets", "Buckets", base.DEC)
field("bytes", "map.owners", "Owners")

field("uint8", "inputs.host", "Weights of host", base.DEC)
field("uint64", "inputs.incarnation", "Incarnation", base.HEX)
field("uint32", "inputs.epoch", "Number of its inputs", base.DEC)
field("bool", "inputs.idle", "Takes no buckets")
field("uint8", "inputs.weight", "Weight", base.DEC)
field("uint8", "inputs.staged_weight", "Weight under the staged rules", base.DEC)

field("uint64", "residue.rules", "Digest of the rules", base.HEX)
field("uint64", "residue.digest", "Digest of all residue", base.HEX)
field("uint16", "residue.slot", "Slot", base.DEC)
field("uint64", "residue.words", "Words that are not zero", base.HEX)
field("uint64", "residue.word", "Word", base.HEX)
host_set("residue.asked", "Hosts that are asked")

field("uint8", "wrap.flags", "Flags", base.HEX)
field("bool", "wrap.needed", "Answers are needed so", 8, nil, 0x01)

local E = {
    malformed = ProtoExpert.new("nlb.malformed", "The frame is malformed", expert.group.MALFORMED, expert.severity.ERROR),
    cut_short = ProtoExpert.new("nlb.cut_short", "The capture does not have all of the frame", expert.group.UNDECODED, expert.severity.WARN),
    unknown_kind = ProtoExpert.new("nlb.unknown_kind", "Frames of this kind are of a later version", expert.group.UNDECODED, expert.severity.NOTE),
    later_version = ProtoExpert.new("nlb.later_version", "The version is later than this dissector", expert.group.UNDECODED, expert.severity.NOTE),
    no_key = ProtoExpert.new("nlb.no_key", "The cluster has no key: anyone on the segment can take part", expert.group.SECURITY, expert.severity.NOTE),
    not_ours = ProtoExpert.new("nlbwrap.malformed", "What is inside is no frame", expert.group.MALFORMED, expert.severity.ERROR),
    routed = ProtoExpert.new("nlbwrap.routed", "The hop limit is not 255: a router has passed it on, and no host takes it", expert.group.SECURITY, expert.severity.WARN),
    probe_routed = ProtoExpert.new("nlbprobe.routed", "The hop limit is not 255: a router has passed it on, and no host takes it", expert.group.SECURITY, expert.severity.WARN),
}

local own, own_wrap = {}, {}
for name, it in pairs(F) do
    table.insert(name:find("^wrap%.") and own_wrap or own, it)
end
nlb.fields = own
wrap.fields = own_wrap
nlb.experts = { E.malformed, E.cut_short, E.unknown_kind, E.later_version, E.no_key }
wrap.experts = { E.not_ours, E.routed }
probe.experts = { E.probe_routed }

local ttl_v4 = Field.new("ip.ttl")
local ttl_v6 = Field.new("ipv6.hlim")

-- Reads the bytes of a body one field after the other. What is not there ends the dissection.
local Reader = {}
Reader.__index = Reader

local function malformed(text)
    error({ malformed = text })
end

function Reader.new(range)
    return setmetatable({ range = range, at = 0, len = range:len() }, Reader)
end

function Reader:left()
    return self.len - self.at
end

function Reader:take(len)
    if self:left() < len then
        malformed("the frame ends within its body")
    end
    local range = self.range:range(self.at, len)
    self.at = self.at + len
    return range
end

-- A field of the tree; its range, its tree item.
function Reader:add(tree, name, len)
    local range = self:take(len)
    return range, tree:add(F[name], range)
end

function Reader:number(tree, name, len)
    local range, item = self:add(tree, name, len)
    return range:uint(), item
end

-- The number of elements of a list, which is no field of its own.
function Reader:count()
    return self:take(1):uint()
end

-- A host id from 1 to 64, or 0 where that stands for none.
function Reader:host(tree, name, or_none)
    local id, item = self:number(tree, name, 1)
    if id > HOSTS_MAX or (id == 0 and not or_none) then
        malformed("a host id is not from 1 to " .. HOSTS_MAX)
    end
    return id, item
end

-- Numbers of the bits that are set in eight bytes, from 0.
local function bits(range)
    local found = {}
    for half = 0, 1 do
        local value = range:range(4 - 4 * half, 4):uint()
        for bit = 0, 31 do
            if math.floor(value / 2 ^ bit) % 2 == 1 then
                table.insert(found, 32 * half + bit)
            end
        end
    end
    return found
end

function Reader:host_set(tree, name)
    local range, item = self:add(tree, name, 8)
    local hosts = {}
    for _, bit in ipairs(bits(range)) do
        table.insert(hosts, bit + 1)
        item:add(F[name .. ".host"], range, bit + 1):set_generated()
    end
    item:append_text(#hosts == 0 and ": no host" or ": hosts " .. table.concat(hosts, ", "))
end

function Reader:generation(tree, name)
    local range = self:take(17)
    local item = tree:add(F[name], range)
    local number = range:range(0, 8)
    item:add(F[name .. ".number"], number)
    item:add(F[name .. ".leader"], range:range(8, 1))
    item:add(F[name .. ".incarnation"], range:range(9, 8))
    item:append_text(": " .. tostring(number:uint64()))
    return number:uint64()
end

-- A byte for each slot.
function Reader:weights(tree, name)
    local count = self:count()
    if count > SLOTS_MAX then
        malformed("there are more slots than a cluster can have")
    end
    for slot = 0, count - 1 do
        local weight, item = self:number(tree, name, 1)
        item:append_text(" in slot " .. slot)
        if weight >= 128 then
            item:append_text(" (" .. weight - 128 .. ", given up)")
        end
    end
end

local function known(names, value, what)
    if not names[value] then
        malformed(what .. " is unknown")
    end
    return names[value]
end

local function heartbeat(reader, tree)
    local state = reader:number(tree, "heartbeat.state", 1)
    known(STATES, state, "the state")
    local out = reader:number(tree, "heartbeat.out", 1)
    local flags, item = reader:add(tree, "heartbeat.flags", 2)
    for _, flag in ipairs(HEARTBEAT_FLAGS) do
        item:add(F["heartbeat.flags." .. flag[1]], flags)
    end
    local follows = reader:host(tree, "heartbeat.follows", true)
    local phase = reader:number(tree, "heartbeat.phase", 1)
    known(PHASES, phase, "the phase")
    reader:host_set(tree, "heartbeat.links")
    local committed = reader:generation(tree, "heartbeat.committed")
    reader:host_set(tree, "heartbeat.members")
    reader:add(tree, "heartbeat.maps", 8)
    reader:generation(tree, "heartbeat.proposal")
    for _, name in ipairs({ "settings", "rules", "staged_rules", "residue" }) do
        reader:add(tree, "heartbeat." .. name, 8)
    end
    reader:host_set(tree, "heartbeat.on_segment")
    reader:add(tree, "heartbeat.epoch", 4)
    reader:weights(tree, "heartbeat.weight")
    reader:weights(tree, "heartbeat.staged_weight")
    for _ = 1, reader:count() do
        local _, host = reader:add(tree, "heartbeat.out_host", 1)
        reader:add(host, "heartbeat.out_host.reason", 1)
    end
    local dedicated = reader:count()
    if dedicated == 4 then
        reader:add(tree, "heartbeat.dedicated", 4)
    elseif dedicated == 16 then
        reader:add(tree, "heartbeat.dedicated6", 16)
    elseif dedicated ~= 0 then
        reader:take(dedicated)
        malformed("an address has 4 or 16 bytes")
    end
    for _ = 1, reader:count() do
        local _, host = reader:add(tree, "heartbeat.echo", 1)
        reader:add(host, "heartbeat.echo.incarnation", 8)
        reader:add(host, "heartbeat.echo.seq", 4)
    end
    local text = { STATES[state], "generation " .. tostring(committed) }
    if out ~= 0 then
        table.insert(text, 2, "out: " .. (OUT_REASONS[out] or tostring(out)))
    end
    if follows ~= 0 then
        table.insert(text, "follows " .. follows)
    end
    if phase ~= 0 then
        table.insert(text, PHASES[phase])
    end
    return table.concat(text, ", ")
end

local function change(reader, tree)
    local step = reader:number(tree, "change.step", 1)
    known(STEPS, step, "the step")
    local number = reader:add(tree, "change.number", 8):uint64()
    if number == UInt64(0) then
        malformed("the number of the proposed generation is 0")
    end
    reader:generation(tree, "change.base")
    for _, name in ipairs({ "base_maps", "maps", "rules" }) do
        reader:add(tree, "change." .. name, 8)
    end
    local cause = reader:number(tree, "change.cause", 1)
    known(CAUSES, cause, "the cause")
    local about = reader:number(tree, "change.about", 1)
    -- The frame has to have all members before one of them is looked at.
    local count = reader:count()
    local members = Reader.new(reader:take(13 * count))
    local last = 0
    for _ = 1, count do
        local id, host = members:host(tree, "change.member")
        if id <= last then
            malformed("the members are not in ascending order")
        end
        last = id
        members:add(host, "change.member.incarnation", 8)
        members:add(host, "change.member.epoch", 4)
    end
    local text = STEPS[step] .. " generation " .. tostring(number) .. ", " .. CAUSES[cause]
    return about == 0 and text or text .. " of host " .. about
end

local function map_request(reader, tree)
    local asked = reader:host(tree, "map.asked")
    local number = reader:generation(tree, "map.generation")
    local wants, item = reader:add(tree, "map.wants", 1)
    item:add(F["map.wants.weights"], wants)
    for word = 0, 4 do
        local range, missing = reader:add(tree, "map.missing", 8)
        for _, bit in ipairs(bits(range)) do
            missing:add(F["map.missing.part"], range, 64 * word + bit):set_generated()
        end
    end
    return "generation " .. tostring(number) .. ", of host " .. asked
end

local function map_part(reader, tree)
    local number = reader:generation(tree, "map.generation")
    local part = reader:number(tree, "map.part", 2)
    local count = reader:number(tree, "map.buckets", 2)
    local text = "generation " .. tostring(number) .. ", part " .. part
    if count == 0 then
        return text
    end
    local owners = reader:add(tree, "map.owners", count)
    if count > PART_BUCKETS then
        malformed("a part has more than " .. PART_BUCKETS .. " buckets")
    end
    for bucket = 0, count - 1 do
        if owners:range(bucket, 1):uint() > HOSTS_MAX then
            malformed("an owner is no host id")
        end
    end
    return text
end

local function inputs(reader, tree)
    local count = reader:count()
    for _ = 1, count do
        local _, host = reader:host(tree, "inputs.host")
        reader:add(host, "inputs.incarnation", 8)
        reader:add(host, "inputs.epoch", 4)
        reader:add(host, "inputs.idle", 1)
        reader:weights(host, "inputs.weight")
        reader:weights(host, "inputs.staged_weight")
    end
    return "of " .. count .. " hosts"
end

local function residue(reader, tree)
    reader:add(tree, "residue.rules", 8)
    reader:add(tree, "residue.digest", 8)
    local count = reader:count()
    for _ = 1, count do
        local _, slot = reader:add(tree, "residue.slot", 2)
        local present = reader:add(slot, "residue.words", 8)
        for _, word in ipairs(bits(present)) do
            local _, item = reader:add(slot, "residue.word", 8)
            item:append_text(", buckets " .. 64 * word .. " to " .. 64 * word + 63)
        end
    end
    return "of " .. count .. " slots"
end

local function residue_request(reader, tree)
    reader:host_set(tree, "residue.asked")
end

local BODIES = { heartbeat, change, map_request, map_part, inputs, residue, residue_request }

-- The header; what the Info column says of it, the kind, the length of the frame.
local function header(reader, tree)
    reader:add(tree, "magic", 2)
    local version, version_item = reader:number(tree, "version", 1)
    reader:add(tree, "version.min", 1)
    reader:add(tree, "version.max", 1)
    local kind, kind_item = reader:number(tree, "kind", 1)
    local key_id, key_item = reader:number(tree, "key_id", 1)
    local host = reader:number(tree, "host", 1)
    reader:add(tree, "cluster_id", 8)
    local incarnation = reader:add(tree, "incarnation", 8):uint64()
    local seq = reader:add(tree, "seq", 8):uint64()
    local length = reader:number(tree, "length", 2)
    local flags, flags_item = reader:add(tree, "flags", 2)
    flags_item:add(F["flags.serving"], flags)
    reader:add(tree, "stamp", 8)
    if version > VERSION_MAX then
        version_item:add_proto_expert_info(E.later_version)
    end
    if not KINDS[kind] then
        kind_item:add_proto_expert_info(E.unknown_kind)
    end
    if key_id == 0 then
        key_item:add_proto_expert_info(E.no_key)
    end
    if length < HEADER_LEN + TAG_LEN or length > FRAME_MAX then
        malformed("the length is not from " .. HEADER_LEN + TAG_LEN .. " to " .. FRAME_MAX)
    end
    if host == 0 or host > HOSTS_MAX then
        malformed("the host id of the sender is not from 1 to " .. HOSTS_MAX)
    end
    if incarnation == UInt64(0) or seq == UInt64(0) then
        malformed("incarnation and sequence are not 0")
    end
    local text = (KINDS[kind] or "kind " .. kind) .. ", host " .. host .. ", sequence " .. tostring(seq)
    return text, kind, length
end

-- What of a frame is there.
local function frame(tvb, pinfo, tree)
    local reader = Reader.new(tvb:range())
    if reader:left() < HEADER_LEN then
        malformed("the frame ends within its header")
    end
    local text, kind, length = header(reader, tree)
    pinfo.cols.info = text
    if tvb:len() < length then
        malformed("the frame is shorter than its length says")
    end
    local body = length - HEADER_LEN - TAG_LEN
    if body > 0 then
        local inner = Reader.new(tvb:range(HEADER_LEN, body))
        if BODIES[kind] then
            local more = BODIES[kind](inner, tree)
            if more then
                pinfo.cols.info = text .. ": " .. more
            end
        end
        if inner:left() > 0 then
            inner:add(tree, "unknown", inner:left())
        end
    elseif BODIES[kind] then
        malformed("the frame ends within its body")
    end
    tree:add(F["tag"], tvb:range(length - TAG_LEN, TAG_LEN))
    if tvb:len() > length then
        tree:add(F["padding"], tvb:range(length))
    end
end

local function has_magic(tvb)
    return tvb:len() >= 2 and tvb:range(0, 2):string() == "nb"
end

function nlb.dissector(tvb, pinfo, root)
    if not has_magic(tvb) then
        return 0
    end
    pinfo.cols.protocol = "NLB"
    pinfo.cols.info = "NLB"
    local tree = root:add(nlb, tvb:range())
    local good, trouble = pcall(frame, tvb, pinfo, tree)
    if good then
        return tvb:len()
    end
    if type(trouble) ~= "table" then
        error(trouble, 0)
    end
    if tvb:len() < tvb:reported_len() then
        tree:add_proto_expert_info(E.cut_short)
    else
        tree:add_proto_expert_info(E.malformed, "Malformed: " .. trouble.malformed)
    end
    return tvb:len()
end

-- The hop limit of the innermost IP header.
local function hop_limit(pinfo)
    local found = { ttl_v4() }
    if #found == 0 then
        found = { ttl_v6() }
    end
    local last = found[#found]
    return last and last.value
end

local WRAP_MARK = "nlbwrap"

function wrap.dissector(tvb, pinfo, root)
    local head = #WRAP_MARK + 1
    if tvb:len() < head or tvb:range(0, #WRAP_MARK):string() ~= WRAP_MARK then
        return 0
    end
    pinfo.cols.protocol = "NLB"
    local tree = root:add(wrap, tvb:range(0, head))
    local flags = tvb:range(#WRAP_MARK, 1)
    local item = tree:add(F["wrap.flags"], flags)
    item:add(F["wrap.needed"], flags)
    if hop_limit(pinfo) ~= HOP_LIMIT then
        tree:add_proto_expert_info(E.routed)
    end
    local inner = tvb:len() > head and tvb:range(head):tvb()
    if inner and has_magic(inner) then
        nlb.dissector(inner, pinfo, root)
    else
        tree:add_proto_expert_info(E.not_ours)
    end
    return tvb:len()
end

local PROBE_MARK = "nlbprobe"

function probe.dissector(tvb, pinfo, root)
    if tvb:len() < #PROBE_MARK or tvb:range(0, #PROBE_MARK):string() ~= PROBE_MARK then
        return 0
    end
    pinfo.cols.protocol = "NLB"
    pinfo.cols.info = "probe of delivery"
    local tree = root:add(probe, tvb:range(0, #PROBE_MARK))
    if hop_limit(pinfo) ~= HOP_LIMIT then
        tree:add_proto_expert_info(E.probe_routed)
    end
    return tvb:len()
end

-- A datagram that is a frame as a whole, of a kind that is known.
local function relayed(tvb, pinfo, root)
    if tvb:len() < HEADER_LEN + TAG_LEN or not has_magic(tvb) then
        return false
    end
    local is_whole = tvb:range(32, 2):uint() == tvb:reported_len()
    if not is_whole or not KINDS[tvb:range(5, 1):uint()] then
        return false
    end
    nlb.dissector(tvb, pinfo, root)
    return true
end

DissectorTable.get("ethertype"):add(0x88b5, nlb)
DissectorTable.get("ip.proto"):add(254, wrap)
DissectorTable.get("ip.proto"):add(253, probe)
DissectorTable.get("udp.port"):add_for_decode_as(nlb)
nlb:register_heuristic("udp", relayed)
