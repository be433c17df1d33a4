/* SPDX-License-Identifier: Apache-2.0 */
/* inflight.c - slots that outlive SIGKILL.  Layer: io.
 *
 *   header (64 octets)  magic, version, clean, id of the boot
 *   slot (32 octets)    id of a job, what its rendition began as (core/late.h; 0: the slot is free); 4096 of them
 *
 * A slot is a plain store into a shared mapping: the kernel keeps it whatever becomes of the process. What a power cut may lose does not matter, because
 * then the boot id differs and every job that was due is uncertain. Only `clean` must be on disk before anything is sent: a stale "clean" would hide the cut.
 */
#include "daemon/io/inflight.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/filer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "notifyd"
#define VERSION 1u
#define BOOT_LEN 36

struct slot {
	char id[ND_ULID_LEN + 2];
	_Atomic uint32_t late; /* 0: the slot is free. Set last, cleared first */
};

struct image { /* of the file */
	char magic[8];
	uint32_t version;
	_Atomic uint32_t clean;
	char boot[48];
	struct slot slots[INFLIGHT_SLOTS];
};
_Static_assert(sizeof(struct slot) == 32, "a slot is 32 octets");
_Static_assert(offsetof(struct image, slots) == 64, "the header is 64 octets");

struct inflight {
	struct image *image; /* mapped */
	char boot[BOOT_LEN + 1];
	char (*left)[ND_ULID_LEN + 1];
	uint32_t *left_late;
	unsigned left_count;
	bool unclean, reboot, begun;
	uint16_t idle[INFLIGHT_SLOTS]; /* free slots, a stack */
	unsigned idle_count;
};

/* "" when it cannot be read: then it differs from every other. */
static void
read_boot(char boot[BOOT_LEN + 1])
{
	char *text = NULL;
	size_t len = 0;

	boot[0] = '\0';
	if (filer_read("/proc/sys/kernel/random/boot_id", 64, &text, &len, NULL) != ND_OK)
		return;
	if (len >= BOOT_LEN) {
		memcpy(boot, text, BOOT_LEN);
		boot[BOOT_LEN] = '\0';
	}
	free(text);
}

static void
sync_image(const struct inflight *inflight)
{
	if (msync(inflight->image, sizeof(*inflight->image), MS_SYNC) != 0)
		nd_log(
		    ND_LOG_WARNING, NULL, "the notes on jobs under way cannot be synced: %s", strerrordesc_np(errno));
}

/* A whole file or none: a half-written one is never seen. Its octets are written, not left as a hole, so that a full disk shows now. */
static enum nd_err
make(const char *path, bool clean, struct nd_why *why)
{
	struct image *image = nd_xalloc(sizeof(*image));
	enum nd_err err;

	memcpy(image->magic, MAGIC, sizeof(MAGIC));
	image->version = VERSION;
	atomic_init(&image->clean, clean);
	err = filer_write(path, image, sizeof(*image), why);
	free(image);
	return err;
}

static enum nd_err
map(struct inflight *inflight, const char *path, struct nd_why *why)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *at;

	if (fd < 0)
		return nd_fail(why, errno == ENOENT ? ND_ENOTFOUND : ND_EDISK, errno, "%s cannot be opened", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(struct image)) {
		(void)close(fd);
		return nd_fail(why, ND_ESYNTAX, 0, "%s is not as notifyd wrote it", path);
	}
	at = mmap(NULL, sizeof(struct image), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (at == MAP_FAILED)
		return nd_fail(why, ND_EDISK, errno, "%s cannot be mapped", path);
	inflight->image = at;
	if (memcmp(inflight->image->magic, MAGIC, sizeof(MAGIC)) == 0 && inflight->image->version == VERSION)
		return ND_OK;
	(void)munmap(at, sizeof(struct image));
	inflight->image = NULL;
	return nd_fail(why, ND_ESYNTAX, 0, "%s is not as notifyd wrote it", path);
}

static void
read_left(struct inflight *inflight)
{
	struct image *image = inflight->image;
	unsigned i;

	inflight->unclean = atomic_load(&image->clean) == 0;
	if (!inflight->unclean)
		return;
	inflight->reboot = inflight->boot[0] == '\0' || strncmp(image->boot, inflight->boot, sizeof(image->boot)) != 0;
	inflight->left = nd_xalloc(INFLIGHT_SLOTS * sizeof(*inflight->left));
	inflight->left_late = nd_xalloc(INFLIGHT_SLOTS * sizeof(*inflight->left_late));
	for (i = 0; i < INFLIGHT_SLOTS; i++) {
		char *id = inflight->left[inflight->left_count];

		inflight->left_late[inflight->left_count] = atomic_load(&image->slots[i].late);
		if (inflight->left_late[inflight->left_count] == 0)
			continue;
		memcpy(id, image->slots[i].id, ND_ULID_LEN);
		id[ND_ULID_LEN] = '\0';
		if (nd_ulid_valid(id))
			inflight->left_count++;
	}
}

struct inflight *
inflight_open(const char *state_dir, struct nd_why *why)
{
	struct inflight *inflight = nd_xalloc(sizeof(*inflight));
	struct nd_why reason;
	char path[4096];
	enum nd_err err;

	(void)snprintf(path, sizeof(path), "%s/inflight", state_dir);
	read_boot(inflight->boot);
	err = map(inflight, path, &reason);
	if (err == ND_ENOTFOUND || err == ND_ESYNTAX) {
		/* Damaged notes may have named any job. */
		if (err == ND_ESYNTAX)
			nd_log(ND_LOG_WARNING, NULL, "%s: every job that is due counts as uncertain", reason.text);
		err = make(path, err == ND_ENOTFOUND, &reason);
		if (err == ND_OK)
			err = map(inflight, path, &reason);
	}
	if (err != ND_OK || inflight->image == NULL) {
		if (why != NULL)
			*why = reason;
		free(inflight);
		return NULL;
	}
	read_left(inflight);
	/* After an unclean end the boot and the notes stay as they are until they have been acted upon: the next run may have to do it again. */
	if (!inflight->unclean) {
		memcpy(inflight->image->boot, inflight->boot, sizeof(inflight->boot));
		atomic_store(&inflight->image->clean, 0);
	}
	sync_image(inflight);
	return inflight;
}

unsigned
inflight_left(
    const struct inflight *inflight, const char (**ids)[ND_ULID_LEN + 1], const uint32_t **lates, bool *reboot)
{
	*lates = inflight->left_late;
	*ids = (const char(*)[ND_ULID_LEN + 1]) inflight->left;
	*reboot = inflight->reboot;
	return inflight->left_count;
}

const char *
inflight_boot(const struct inflight *inflight)
{
	return inflight->boot;
}

void
inflight_begin(struct inflight *inflight)
{
	struct image *image = inflight->image;
	unsigned i;

	for (i = 0; i < INFLIGHT_SLOTS; i++) {
		atomic_store(&image->slots[i].late, 0);
		inflight->idle[i] = (uint16_t)(INFLIGHT_SLOTS - 1 - i);
	}
	inflight->idle_count = INFLIGHT_SLOTS;
	memset(image->boot, 0, sizeof(image->boot));
	memcpy(image->boot, inflight->boot, sizeof(inflight->boot));
	sync_image(inflight);
	free(inflight->left);
	free(inflight->left_late);
	inflight->left = NULL;
	inflight->left_late = NULL;
	inflight->left_count = 0;
	inflight->reboot = false;
	inflight->begun = true;
}

int
inflight_note(struct inflight *inflight, const char *id, uint32_t late)
{
	unsigned slot;

	if (inflight->idle_count == 0)
		return -1;
	slot = inflight->idle[--inflight->idle_count];
	memcpy(inflight->image->slots[slot].id, id, ND_ULID_LEN);
	atomic_store(&inflight->image->slots[slot].late, late);
	return (int)slot;
}

void
inflight_drop(struct inflight *inflight, int slot)
{
	if (slot < 0)
		return;
	atomic_store(&inflight->image->slots[slot].late, 0);
	inflight->idle[inflight->idle_count++] = (uint16_t)slot;
}

void
inflight_close(struct inflight *inflight)
{
	if (inflight == NULL)
		return;
	/* What was never begun has the last run's notes still. */
	if (inflight->begun ? inflight->idle_count == INFLIGHT_SLOTS : !inflight->unclean)
		atomic_store(&inflight->image->clean, 1);
	sync_image(inflight);
	(void)munmap(inflight->image, sizeof(*inflight->image));
	free(inflight->left);
	free(inflight->left_late);
	free(inflight);
}
