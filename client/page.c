/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - the page that a browser ends at after a sign-in.  Layer: client.  Pure. */
#include "client/page.h"

#include "common/str.h"

#include <string.h>

/* clang-format off */
static const struct words {
	const char *lang, *good, *bad;
	const char *as, *by, *at, *end; /* AS who BY account END; AT account END */
	const char *close, *remark, *again, *original;
} english = {
	"en", "Signed in", "Not signed in",
	"You signed in as ", " for the account ", "You signed in for the account ", " of notifyd.",
	"You may close this window and return to the terminal.",
	"The terminal has a remark about this sign-in: please read it.",
	"The terminal says how to go on.", "",
}, japanese = {
	"ja", "サインインしました", "サインインできませんでした",
	"", " として、notifyd のアカウント ", "notifyd のアカウント ", " にサインインしました。",
	"このウィンドウを閉じて、ターミナルに戻ってください。",
	"ターミナルに注意事項が表示されています。ご確認ください。",
	"続け方はターミナルに表示されています。", "原文: ",
};

static const char style[] =
	":root{color-scheme:light dark;--back:#f3f4f6;--card:#fff;--text:#1f2933;--soft:#52606d;--mark:#18794e;--line:#d9dee4}"
	"@media(prefers-color-scheme:dark){:root{--back:#15181c;--card:#1f2429;--text:#e6e9ec;--soft:#a3adb7;--mark:#4cc38a;--line:#343b42}}"
	"*{box-sizing:border-box}"
	"body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;padding:1rem;background:var(--back);"
	"color:var(--text);font:16px/1.6 system-ui,-apple-system,\"Segoe UI\",\"Hiragino Sans\",\"Noto Sans CJK JP\",Meiryo,sans-serif}"
	"main{width:100%;max-width:36rem;padding:2rem 2.25rem;background:var(--card);border:1px solid var(--line);"
	"border-top:4px solid var(--mark);border-radius:8px;overflow-wrap:anywhere}"
	"main.bad{--mark:#c4320a}h1{margin:0 0 .75rem;font-size:1.4rem;line-height:1.3;color:var(--mark)}p{margin:.5rem 0}"
	".detail{padding:.75rem 1rem;border:1px solid var(--line);border-radius:6px}.soft{color:var(--soft)}";
/* clang-format on */

static void
paragraph(struct nd_buf *out, const char *class, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	nd_buf_addf(out, "<p class=\"%s\">", class);
	(void)nd_str_html(out, text);
	nd_buf_adds(out, "</p>\n");
}

static void
bold(struct nd_buf *out, const char *before, const char *text)
{
	nd_buf_addf(out, "%s<strong>", before);
	(void)nd_str_html(out, text);
	nd_buf_adds(out, "</strong>");
}

static void
outcome(const struct page *page, const struct words *words, struct nd_buf *out)
{
	nd_buf_adds(out, "<p>");
	if (page->who != NULL) {
		bold(out, words->as, page->who);
		bold(out, words->by, page->account);
	} else {
		bold(out, words->at, page->account);
	}
	nd_buf_addf(out, "%s</p>\n", words->end);
	if (page->remark)
		paragraph(out, "detail", words->remark);
	paragraph(out, "soft", words->close);
}

static void
failure(const struct page *page, const struct words *words, struct nd_buf *out)
{
	const bool means = page->meaning != NULL && page->meaning[0] != '\0';

	paragraph(out, "detail", means ? page->meaning : page->detail);
	paragraph(out, "", page->hint);
	if (means) {
		nd_buf_addf(out, "<p class=\"soft\">%s<span lang=\"en\">", words->original);
		(void)nd_str_html(out, page->detail);
		nd_buf_adds(out, "</span></p>\n");
	}
	paragraph(out, "soft", words->again);
}

void
page_write(const struct page *page, struct nd_buf *out)
{
	const struct words *words = page->japanese ? &japanese : &english;
	const char *title = page->good ? words->good : words->bad;

	nd_buf_addf(out,
	    "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>%s - notifyd</title>\n"
	    "<style>%s</style>\n</head>\n<body>\n<main%s>\n<h1>%s</h1>\n",
	    words->lang, title, style, page->good ? "" : " class=\"bad\"", title);
	if (page->good)
		outcome(page, words, out);
	else
		failure(page, words, out);
	nd_buf_adds(out, "</main>\n</body>\n</html>\n");
}
