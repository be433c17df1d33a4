/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - runs a fuzz target over files, with any compiler.
 *
 * Each argument is a file or a folder (its files, not its folders). So the corpus is a test of every build; libFuzzer brings its own main.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

static int
play_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *octets = NULL;
	size_t len = 0, room = 0, n = 0;

	if (file == NULL) {
		perror(path);
		return -1;
	}
	do {
		len += n;
		if (len == room) {
			room = room == 0 ? 4096 : room * 2;
			octets = realloc(octets, room);
			if (octets == NULL)
				abort();
		}
		n = fread(octets + len, 1, room - len, file);
	} while (n > 0);
	(void)fclose(file);
	/* Of the exact size, so that a sanitizer sees the first octet too many. */
	octets = realloc(octets, len > 0 ? len : 1);
	if (octets == NULL)
		abort();
	(void)LLVMFuzzerTestOneInput(octets, len);
	free(octets);
	return 1;
}

/* How many files were played; < 0: one could not be. */
static int
play(const char *path)
{
	struct stat facts;
	struct dirent *entry;
	int played = 0;
	DIR *dir;

	if (stat(path, &facts) != 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(facts.st_mode))
		return play_file(path);
	dir = opendir(path);
	if (dir == NULL) {
		perror(path);
		return -1;
	}
	while (played >= 0 && (entry = readdir(dir)) != NULL) {
		char below[4096];
		int n = snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);

		if (n < 0 || (size_t)n >= sizeof(below) || stat(below, &facts) != 0 || !S_ISREG(facts.st_mode))
			continue;
		played = play_file(below) < 0 ? -1 : played + 1;
	}
	(void)closedir(dir);
	return played;
}

int
main(int argc, char **argv)
{
	int played = 0;

	for (int i = 1; i < argc; i++) {
		int n = play(argv[i]);

		if (n < 0)
			return 1;
		played += n;
	}
	printf("%d files\n", played);
	return played > 0 ? 0 : 1;
}
