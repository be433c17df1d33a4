/* SPDX-License-Identifier: Apache-2.0 */
/* trim.c - memory that is not needed for being idle is given back.  Layer: io. */
#include "daemon/io/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Code that was changed when it was loaded would come back unchanged. */
static bool
relocated(const struct dl_phdr_info *info)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		const ElfW(Dyn) * row;

		if (part->p_type != PT_DYNAMIC)
			continue;
		for (row = (const ElfW(Dyn) *)(info->dlpi_addr + part->p_vaddr); row->d_tag != DT_NULL; row++)
			if (row->d_tag == DT_TEXTREL || (row->d_tag == DT_FLAGS && (row->d_un.d_val & DF_TEXTREL) != 0))
				return true;
	}
	return false;
}

static int
drop(struct dl_phdr_info *info, size_t size, void *arg)
{
	const uintptr_t page = *(const uintptr_t *)arg;

	(void)size;
	if (relocated(info))
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + part->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t to = (info->dlpi_addr + part->p_vaddr + part->p_filesz) & ~(page - 1);

		/* Only what is an unchanged copy of the file: code that cannot be written. */
		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && (part->p_flags & PF_W) == 0 && from < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr) */
	}
	return 0;
}

void
trim_code(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)dl_iterate_phdr(drop, &page);
}

void
trim_heap(void)
{
	(void)malloc_trim(0);
}
