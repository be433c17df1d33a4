/* SPDX-License-Identifier: Apache-2.0 */
/* qr.c - an address as a QR code on a terminal.  Layer: client.
 *
 * libqrencode is loaded when it is there: a code to scan is a comfort, not a need.
 */
#include "client/qr.h"

#include "common/str.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 2 /* modules around it; 4 by the book, but readers do with 2 */

/* What libqrencode 4 gives and takes. */
struct code {
	int version, width;
	unsigned char *data; /* width * width; bit 0: dark */
};
enum { LEVEL_LOW = 0, MODE_OCTETS = 2 };
typedef struct code *encode_string(const char *text, int version, int level, int hint, int case_sensitive);
typedef void free_code(struct code *code);

static bool
is_dark(const struct code *code, int x, int y)
{
	return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & 1) != 0;
}

/* Two modules to a character. With colours they are black on white; without, light modules are drawn, for terminals are mostly dark. */
static void
draw(struct writer *writer, const struct code *code)
{
	static const char *const halves[] = { " ", "▄", "▀", "█" };
	bool color = writer->color;

	for (int y = -MARGIN; y < code->width + MARGIN; y += 2) {
		(void)fputs(color ? "  \033[30;107m" : "  ", writer->file);
		for (int x = -MARGIN; x < code->width + MARGIN; x++) {
			unsigned upper = is_dark(code, x, y) == color, lower = is_dark(code, x, y + 1) == color;

			(void)fputs(halves[upper * 2 + lower], writer->file);
		}
		(void)fputs(color ? "\033[0m\n" : "\n", writer->file);
	}
}

bool
qr_print(struct writer *writer, const char *text)
{
	void *library, *symbol;
	encode_string *encode = NULL;
	free_code *drop = NULL;
	struct code *code = NULL;

	if (!writer->terminal || !writer_unicode() ||
	    (library = dlopen("libqrencode.so.4", RTLD_NOW | RTLD_LOCAL)) == NULL)
		return false;
	symbol = dlsym(library, "QRcode_encodeString");
	memcpy(&encode, &symbol, sizeof(encode)); /* C knows no cast from one to the other */
	symbol = dlsym(library, "QRcode_free");
	memcpy(&drop, &symbol, sizeof(drop));
	if (encode != NULL && drop != NULL)
		code = encode(text, 0, LEVEL_LOW, MODE_OCTETS, 1);
	bool fits = code != NULL && (writer->width == 0 || (unsigned)(code->width + 2 * MARGIN + 2) <= writer->width);
	if (fits)
		draw(writer, code);
	if (code != NULL)
		drop(code);
	(void)dlclose(library);
	return fits;
}
