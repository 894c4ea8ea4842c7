/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a ring is made. Contract and source: ring.h.
 *
 *  1. Quotas. Backend i gets floor(size * weight / total) slots. The slots left over go one each to
 *     those that own more than their floor already (each such +1 saves a move), then to the largest
 *     remainders, then by name.
 *  2. Inherit. Each slot keeps its owner. An owner over its quota is a giver; slots without an
 *     owner belong to "nobody", a giver of all it has. A backend under its quota is a taker.
 *  3. Walk. The takers take turns, in proportion to what they want, and walk their Maglev
 *     permutations: (offset + j * skip) mod size. Such a pick takes a slot from a giver with
 *     something left to give. From scratch nobody owns all slots and this is Maglev's algorithm.
 *     In a rebuild a backend that left and comes back finds mostly its old slots again.
 *  4. Deal. Maglev's last slots are dear: with f slots free a pick takes size / f probes, and a
 *     removed backend leaves only few free slots to begin with. So after about PROBES_PER_SLOT
 *     probes per wanted slot the walk ends: the givers release what they still have to, spread
 *     evenly over their slots, and the turns go on with the free slots from the lowest up. The
 *     turns spread neighbouring free slots over all takers by what they want. From scratch this
 *     concerns the last exp(-PROBES_PER_SLOT) = 5 % of the slots.
 *
 * Every slot moves at most once, from a giver to a taker, and only as many as quotas demand: there
 * are no extra moves. Work is O(size + count log count). All choices depend on names, weights and
 * the previous owners' names, never on the order in which the backends are listed.
 */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROBES_PER_SLOT = 3,
	/* A walk may also probe size / PROBES_SHARE slots whatever is wanted: cheap beside the
	 * passes over all slots, and lets one added backend of many find the few it can have. */
	PROBES_SHARE = 32,
	SLOTS_LIGHTEST_MIN = 256,
	WORD_BITS = 64,
};

/* One backend. Arrays of these are in the order of the names. */
struct share {
	uint64_t name;
	uint32_t ordinal;
	uint32_t weight;
	uint32_t held;  /* slots it owned before */
	uint32_t quota; /* slots it is to own */
};

/* By ordinal; the entry after the last backend's is nobody's. */
struct giver {
	uint32_t held;    /* slots it owns now */
	uint32_t surplus; /* how many of these it has still to give */
	uint32_t credit;  /* see release_surplus */
};

struct taker {
	uint32_t position; /* the slot its walk probes next */
	uint32_t skip;
	uint32_t want;   /* slots under its quota */
	uint32_t credit; /* see take_turns */
	uint16_t ordinal;
};

struct build {
	struct share *shares;
	struct giver *givers;
	struct taker *takers;
	uint64_t *open; /* while walking: slots a giver may give; while dealing: free slots */
	uint64_t *keys;
	uint16_t *owner; /* the caller's */
	uint32_t count;
	uint32_t size;
	uint32_t taker_count;
	uint32_t wanted; /* sum of the takers' wants */
	uint32_t budget; /* probes left */
	uint32_t cursor; /* word of open the deal has got to */
	int dealing;
};

/* The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; constants: D. Stafford's Mix13). */
static uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Independent hashes of one name. */
enum hash_use { HASH_OFFSET = 1, HASH_SKIP, HASH_PHASE };

static uint64_t hash_for(uint64_t name, enum hash_use use)
{
	return mix64(name + (uint64_t)use * 0x9e3779b97f4a7c15);
}

uint64_t ring_name(const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3;
	return mix64(hash);
}

int ring_size_valid(uint32_t size)
{
	if (size == 1)
		return 1;
	if (size < 3 || size > LB_RING_SIZE_MAX || size % 2 == 0)
		return 0;
	for (uint32_t divisor = 3; divisor * divisor <= size; divisor += 2) {
		if (size % divisor == 0)
			return 0;
	}
	return 1;
}

uint32_t ring_size_fit(const struct ring_backend *backends, uint32_t count)
{
	static const uint32_t sizes[] = {1031, 4099, 16411, LB_RING_SIZE_DEFAULT};
	uint64_t lightest = UINT64_MAX, total = 0;
	size_t i = 0;

	for (uint32_t b = 0; b < count; b++) {
		uint64_t weight = backends[b].weight;

		total += weight;
		if (weight > 0 && weight < lightest)
			lightest = weight;
	}
	if (total == 0 || lightest == total)
		return 1;
	while (sizes[i] != LB_RING_SIZE_DEFAULT && sizes[i] * lightest < SLOTS_LIGHTEST_MIN * total)
		i++;
	return sizes[i];
}

static int share_compare(const void *left, const void *right)
{
	const struct share *a = left, *b = right;

	return (a->name > b->name) - (a->name < b->name);
}

static int key_compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Puts the backends in the order of their names. -EINVAL: two have the same. */
static int shares_sort(struct share *shares, const struct ring_backend *backends, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		shares[i] = (struct share){
		    .name = backends[i].name, .ordinal = i, .weight = backends[i].weight};
	}
	qsort(shares, count, sizeof(*shares), share_compare);
	for (uint32_t i = 1; i < count; i++) {
		if (shares[i].name == shares[i - 1].name)
			return -EINVAL;
	}
	return 0;
}

/* Sorts, smallest first, into the order in which backends get a slot that is left over:
 * bit 48: owns no more than its floor; bits 16..47: inverted remainder; bits 0..15: rank by name.
 */
static uint64_t leftover_key(const struct share *share, uint64_t remainder, uint32_t rank)
{
	uint64_t saves_none = share->held <= share->quota;

	return saves_none << 48 | (UINT32_MAX - remainder) << 16 | rank;
}

/* Sets the quotas from the weights and from what the backends hold. keys: room for count. */
static void shares_set_quotas(struct share *shares, uint32_t count, uint32_t size, uint64_t *keys)
{
	uint64_t total = 0;
	uint32_t left = size, key_count = 0;

	/* Both fields of leftover_key are wide enough. */
	_Static_assert((uint64_t)LB_WEIGHT_MAX * LB_SERVICE_BACKENDS_MAX - 1 <= UINT32_MAX, "");
	_Static_assert(LB_SERVICE_BACKENDS_MAX <= 1 << 16, "");
	for (uint32_t i = 0; i < count; i++)
		total += shares[i].weight;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t product = (uint64_t)size * shares[i].weight;

		shares[i].quota = (uint32_t)(product / total);
		left -= shares[i].quota;
		if (product % total > 0)
			keys[key_count++] = leftover_key(&shares[i], product % total, i);
	}
	if (left == 0)
		return;
	/* The remainders add up to left * total and each is below total. */
	assert(left < key_count);
	qsort(keys, key_count, sizeof(*keys), key_compare);
	for (uint32_t i = 0; i < left; i++)
		shares[keys[i] & 0xffff].quota++;
}

static void build_free(struct build *b)
{
	free(b->shares);
	free(b->givers);
	free(b->takers);
	free(b->open);
	free(b->keys);
}

static uint32_t words_for(uint32_t size)
{
	return (size + WORD_BITS - 1) / WORD_BITS;
}

static int build_alloc(struct build *b)
{
	b->shares = malloc(b->count * sizeof(*b->shares));
	b->givers = calloc(b->count + 1, sizeof(*b->givers));
	b->takers = malloc(b->count * sizeof(*b->takers));
	b->open = malloc(words_for(b->size) * sizeof(*b->open));
	b->keys = malloc(b->count * sizeof(*b->keys));
	return b->shares && b->givers && b->takers && b->open && b->keys ? 0 : -ENOMEM;
}

/* Copies the previous owners, those no longer listed as nobody, and counts what each holds.
 * Slot s was slot floor((s + 1/2) * previous_size / size), stepped without dividing. */
static void inherit_owners(struct build *b, const uint16_t *previous, uint32_t previous_size)
{
	uint32_t whole = previous_size / b->size, part = previous_size % b->size * 2;
	uint32_t from = previous_size / (b->size * 2), rest = previous_size % (b->size * 2);

	for (uint32_t s = 0; s < b->size; s++) {
		uint32_t owner = previous[from] < b->count ? previous[from] : b->count;

		b->owner[s] = (uint16_t)owner;
		b->givers[owner].held++;
		from += whole;
		rest += part;
		if (rest >= b->size * 2) {
			rest -= b->size * 2;
			from++;
		}
	}
}

/* Nobody owns all. */
static void inherit_nothing(struct build *b)
{
	for (uint32_t s = 0; s < b->size; s++)
		b->owner[s] = (uint16_t)b->count;
	b->givers[b->count].held = b->size;
}

static void taker_add(struct build *b, const struct share *share)
{
	struct taker *taker = &b->takers[b->taker_count++];
	uint64_t skip = hash_for(share->name, HASH_SKIP);

	*taker = (struct taker){
	    .position = (uint32_t)(hash_for(share->name, HASH_OFFSET) % b->size),
	    .skip = b->size > 1 ? (uint32_t)(skip % (b->size - 1)) + 1 : 1,
	    .want = share->quota - share->held,
	    .ordinal = (uint16_t)share->ordinal,
	};
	b->wanted += taker->want;
}

/* Who gives and who takes how many slots. */
static void settle_quotas(struct build *b)
{
	struct giver *nobody = &b->givers[b->count];

	for (uint32_t i = 0; i < b->count; i++)
		b->shares[i].held = b->givers[b->shares[i].ordinal].held;
	shares_set_quotas(b->shares, b->count, b->size, b->keys);
	for (uint32_t i = 0; i < b->count; i++) {
		const struct share *share = &b->shares[i];

		if (share->held > share->quota)
			b->givers[share->ordinal].surplus = share->held - share->quota;
		else if (share->held < share->quota)
			taker_add(b, share);
	}
	nobody->surplus = nobody->held;
}

static void open_all_slots(struct build *b)
{
	uint32_t tail = b->size % WORD_BITS;

	memset(b->open, 0xff, words_for(b->size) * sizeof(*b->open));
	if (tail > 0)
		b->open[words_for(b->size) - 1] = ((uint64_t)1 << tail) - 1;
}

static void open_giving_slots(struct build *b)
{
	for (uint32_t first = 0; first < b->size; first += WORD_BITS) {
		uint32_t bits = b->size - first < WORD_BITS ? b->size - first : WORD_BITS;
		uint64_t word = 0;

		for (uint32_t i = 0; i < bits; i++) {
			uint64_t gives = b->givers[b->owner[first + i]].surplus > 0;

			word |= gives << i;
		}
		b->open[first / WORD_BITS] = word;
	}
}

/* Claims a slot a walk has come to, if its owner still has to give: 1 if so. */
static int claim(struct build *b, uint32_t slot)
{
	struct giver *giver = &b->givers[b->owner[slot]];

	b->open[slot / WORD_BITS] &= ~((uint64_t)1 << slot % WORD_BITS);
	if (giver->surplus == 0)
		return 0;
	giver->surplus--;
	giver->held--;
	return 1;
}

/* The taker's next slot by its permutation, or size when the probes are used up. Most of the time
 * of a build from scratch goes here: the loop keeps to registers and the bitmap. */
static uint32_t walk(struct build *b, struct taker *taker)
{
	const uint64_t *open = b->open;
	uint32_t next = taker->position, skip = taker->skip, size = b->size;

	for (uint32_t left = b->budget; left > 0; left--) {
		uint32_t slot = next;

		next = slot + skip < size ? slot + skip : slot + skip - size;
		if ((open[slot / WORD_BITS] >> slot % WORD_BITS & 1) && claim(b, slot)) {
			taker->position = next;
			b->budget = left - 1;
			return slot;
		}
	}
	return size;
}

/*
 * Leaves set in open just the slots the givers let go. All slots of a giver with a surplus are set
 * there before. One that has to give g of h slots gives every (h / g)th, as its credit runs over:
 * g times in all, whatever credit it starts with. The start depends on the name, or all would give
 * up their lowest slots last.
 */
static void release_surplus(struct build *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		struct giver *giver = &b->givers[b->shares[i].ordinal];

		if (giver->surplus > 0)
			giver->credit =
			    (uint32_t)(hash_for(b->shares[i].name, HASH_PHASE) % giver->held);
	}
	for (uint32_t w = 0; w < words_for(b->size); w++) {
		for (uint64_t word = b->open[w]; word; word &= word - 1) {
			uint32_t slot = w * WORD_BITS + (uint32_t)__builtin_ctzll(word);
			struct giver *giver = &b->givers[b->owner[slot]];

			giver->credit += giver->surplus;
			if (giver->surplus > 0 && giver->credit >= giver->held)
				giver->credit -= giver->held;
			else
				b->open[w] &= ~(word & -word);
		}
	}
}

static uint32_t deal(struct build *b)
{
	uint32_t slot;

	while (b->open[b->cursor] == 0) {
		b->cursor++;
		assert(b->cursor < words_for(b->size)); /* as many slots are free as wanted */
	}
	slot = b->cursor * WORD_BITS + (uint32_t)__builtin_ctzll(b->open[b->cursor]);
	b->open[b->cursor] &= b->open[b->cursor] - 1;
	return slot;
}

static uint32_t pick(struct build *b, struct taker *taker)
{
	if (!b->dealing) {
		uint32_t slot = walk(b, taker);

		if (slot < b->size)
			return slot;
		release_surplus(b);
		b->dealing = 1;
	}
	return deal(b);
}

/* How many rounds of turns: as many as the largest want, so that nobody picks twice in a round,
 * but not so many that small wants make most turns empty. */
static uint32_t count_rounds(const struct build *b)
{
	uint32_t rounds_max = 2 * b->wanted / b->taker_count + 1, want_max = 0;

	for (uint32_t i = 0; i < b->taker_count; i++) {
		if (b->takers[i].want > want_max)
			want_max = b->takers[i].want;
	}
	return want_max < rounds_max ? want_max : rounds_max;
}

/* After r of R rounds a taker has had ceil(r * want / R) slots: all begin in the first round. With
 * equal weights this is the paper's order, by name. */
static void take_turns(struct build *b)
{
	uint32_t rounds = count_rounds(b);

	for (uint32_t i = 0; i < b->taker_count; i++)
		b->takers[i].credit = rounds - 1;
	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < b->taker_count; i++) {
			struct taker *taker = &b->takers[i];

			taker->credit += taker->want;
			while (taker->credit >= rounds) {
				taker->credit -= rounds;
				b->owner[pick(b, taker)] = taker->ordinal;
			}
		}
	}
}

static int count_valid(uint32_t count)
{
	return count > 0 && count < LB_SERVICE_BACKENDS_MAX;
}

static int weights_valid(const struct ring_backend *backends, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (backends[i].weight > 0)
			return 1;
	}
	return 0;
}

int64_t ring_build(const struct ring_backend *backends, uint32_t count, uint32_t size,
		   const uint16_t *previous, uint32_t previous_size, uint16_t *owner)
{
	__attribute__((cleanup(build_free))) struct build b = {
	    .owner = owner, .count = count, .size = size};

	if (!count_valid(count) || !weights_valid(backends, count) || !ring_size_valid(size))
		return -EINVAL;
	if (previous && previous_size != size && !ring_size_valid(previous_size))
		return -EINVAL;
	if (build_alloc(&b) < 0)
		return -ENOMEM;
	if (shares_sort(b.shares, backends, count) < 0)
		return -EINVAL;
	if (previous)
		inherit_owners(&b, previous, previous_size);
	else
		inherit_nothing(&b);
	settle_quotas(&b);
	if (b.wanted == 0)
		return 0;
	if (b.givers[count].held == size)
		open_all_slots(&b);
	else
		open_giving_slots(&b);
	b.budget = PROBES_PER_SLOT * b.wanted + size / PROBES_SHARE;
	take_turns(&b);
	return b.wanted;
}

/* Slots taken from owners that are still listed, beyond what the quotas demand. held and quota of
 * the shares belong to the previous owners. */
static uint64_t count_extra(const struct build *b, const uint16_t *previous, const uint16_t *owner)
{
	uint64_t moved = 0, demanded = 0;

	for (uint32_t s = 0; s < b->size; s++)
		moved += previous[s] < b->count && previous[s] != owner[s];
	for (uint32_t i = 0; i < b->count; i++) {
		if (b->shares[i].held > b->shares[i].quota)
			demanded += b->shares[i].held - b->shares[i].quota;
	}
	return moved > demanded ? moved - demanded : 0;
}

static void count_held(struct build *b, const uint16_t *ring)
{
	for (uint32_t i = 0; i <= b->count; i++)
		b->givers[i].held = 0;
	for (uint32_t s = 0; s < b->size; s++)
		b->givers[ring[s] < b->count ? ring[s] : b->count].held++;
	for (uint32_t i = 0; i < b->count; i++)
		b->shares[i].held = b->givers[b->shares[i].ordinal].held;
}

static double find_imbalance(const struct build *b)
{
	double total = 0, worst = 0;

	for (uint32_t i = 0; i < b->count; i++)
		total += b->shares[i].weight;
	for (uint32_t i = 0; i < b->count; i++) {
		double quota = b->size * (b->shares[i].weight / total);

		if (b->shares[i].weight > 0 && fabs(b->shares[i].held / quota - 1) > worst)
			worst = fabs(b->shares[i].held / quota - 1);
	}
	return worst;
}

struct ring_quality ring_judge(const struct ring_backend *backends, uint32_t count, uint32_t size,
			       const uint16_t *previous, const uint16_t *owner)
{
	__attribute__((cleanup(build_free))) struct build b = {.count = count, .size = size};
	/* What cannot be judged (bad input, no memory) is the worst there is. */
	struct ring_quality quality = {.moved_extra = UINT64_MAX, .imbalance_max = INFINITY};

	if (!count_valid(count) || !weights_valid(backends, count) || !ring_size_valid(size) ||
	    build_alloc(&b) < 0 || shares_sort(b.shares, backends, count) < 0)
		return quality;
	quality.moved_extra = 0;
	if (previous) {
		count_held(&b, previous);
		shares_set_quotas(b.shares, count, size, b.keys);
		quality.moved_extra = count_extra(&b, previous, owner);
	}
	count_held(&b, owner);
	quality.imbalance_max = find_imbalance(&b);
	return quality;
}

/*
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4), bit-reflected. step[k][byte] is what a byte becomes
 * when k more bytes follow it, so eight lookups take in eight bytes. Made for each call, in a few
 * microseconds: there is no global to initialise.
 */
struct crc32c {
	uint32_t step[8][256];
};

static void crc32c_init(struct crc32c *crc)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t value = byte;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
		crc->step[0][byte] = value;
	}
	for (int k = 1; k < 8; k++) {
		for (uint32_t byte = 0; byte < 256; byte++) {
			uint32_t before = crc->step[k - 1][byte];

			crc->step[k][byte] = before >> 8 ^ crc->step[0][before & 0xff];
		}
	}
}

uint32_t ring_checksum(const struct ring_backend *backends, const uint16_t *owner, uint32_t size)
{
	struct crc32c crc;
	uint32_t value = UINT32_MAX;

	crc32c_init(&crc);
	for (uint32_t s = 0; s < size; s++) {
		/* The name's first byte, little-endian, is its lowest: no bytes need be laid out.
		 */
		uint64_t name = backends[owner[s]].name;
		uint32_t low = (uint32_t)name ^ value, high = (uint32_t)(name >> 32);

		value = crc.step[3][high & 0xff] ^ crc.step[2][high >> 8 & 0xff] ^
			crc.step[1][high >> 16 & 0xff] ^ crc.step[0][high >> 24] ^
			crc.step[7][low & 0xff] ^ crc.step[6][low >> 8 & 0xff] ^
			crc.step[5][low >> 16 & 0xff] ^ crc.step[4][low >> 24];
	}
	return ~value;
}
