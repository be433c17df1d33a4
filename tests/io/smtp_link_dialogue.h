/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link_dialogue.h - tests/dialogues/NN-title.smtp played by a real link: settings, and what must come of it. */
#ifndef ND_TEST_SMTP_LINK_DIALOGUE_H
#define ND_TEST_SMTP_LINK_DIALOGUE_H

#include "tests/io/smtp_link_kit.h"

struct reader {
	char *lines[512];
	size_t count;
	bool unit_only, stays, quits, beside;
	unsigned mail; /* that the settings describe */
};

static inline char *
next_line(char **rest)
{
	char *line = *rest, *lf = line ? strchr(line, '\n') : NULL;

	if (line == NULL || *line == '\0')
		return NULL;
	*rest = lf ? lf + 1 : NULL;
	if (lf != NULL)
		*lf = '\0';
	return line;
}

static inline const char *
value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0 || (line[len] != ' ' && line[len] != '\0'))
		return NULL;
	return line[len] == ' ' ? line + len + 1 : line + len;
}

static inline void
set_body_octets(struct mail *mail, const char *value)
{
	int64_t left = 0;

	assert_true(nd_str_int(value, 3, 2 * (int64_t)BIG, &left));
	for (; left > 0; left--)
		(void)nd_buf_addc(&mail->body, left == 2 || left % 72 == 3   ? '\r'
					       : left == 1 || left % 72 == 2 ? '\n'
									     : 'x');
	mail->body_given = true;
}

static inline unsigned
choose(const char *value, const char *const *words)
{
	unsigned i = 0;

	while (words[i] != NULL && strcmp(words[i], value) != 0)
		i++;
	assert_non_null(words[i]);
	return i;
}

static inline void
set_mail(struct reader *reader, const char *line)
{
	static const char *const paces[] = { "stepwise", "grouped", "chunked", "one-flight", NULL };
	struct mail *mail = &play.mails[reader->mail];
	const char *value;

	if ((value = value_of(line, "from")) != NULL)
		(void)snprintf(mail->from, sizeof(mail->from), "%s", value);
	if ((value = value_of(line, "to")) != NULL) {
		assert_true(mail->rcpt_count < RCPTS_MAX);
		(void)snprintf(mail->rcpts[mail->rcpt_count++], sizeof(mail->rcpts[0]), "%s", value);
		play.mail_count = reader->mail + 1;
	}
	if ((value = value_of(line, "body")) != NULL)
		mail->body_given = nd_buf_addf(&mail->body, "%s\r\n", value);
	if ((value = value_of(line, "body-octets")) != NULL)
		set_body_octets(mail, value);
	if ((value = value_of(line, "pace")) != NULL) /* of the mails to come too */
		for (unsigned i = reader->mail; i < MAILS_MAX; i++)
			play.mails[i].pace = (enum smtp_pace)choose(value, paces);
}

static inline void
set_secret_octets(const char *value)
{
	int64_t octets = 0;
	struct nd_buf buf;

	assert_true(nd_str_int(value, 1, 65536, &octets));
	nd_buf_init(&buf, 65536);
	while (octets-- > 0)
		(void)nd_buf_addc(&buf, 't');
	nd_secret_set(&play.secret, buf.octets, buf.len);
	nd_buf_done(&buf);
}

static inline void
set_account(struct reader *reader, const char *line)
{
	static const char *const securities[] = { "starttls", "tls", "none", NULL };
	static const char *const auths[] = { "none", "password", "oauth", NULL };
	static const char *const texts[] = { "user", "ehlo", "host" };
	const char *value;

	for (size_t i = 0; i < 3; i++)
		if ((value = value_of(line, texts[i])) != NULL)
			(void)snprintf(play.text[i], sizeof(play.text[i]), "%s", value);
	if ((value = value_of(line, "security")) != NULL)
		play.conf.settings.security = (enum smtp_security)choose(value, securities);
	if ((value = value_of(line, "auth")) != NULL)
		play.conf.settings.auth = (enum smtp_auth)choose(value, auths);
	if ((value = value_of(line, "mechanism")) != NULL)
		play.conf.settings.mechanism = value;
	play.conf.settings.no_initial = play.conf.settings.no_initial || strcmp(line, "initial-response no") == 0;
	if ((value = value_of(line, "password")) != NULL || (value = value_of(line, "token")) != NULL)
		nd_secret_set(&play.secret, value, strlen(value));
	if ((value = value_of(line, "token-octets")) != NULL)
		set_secret_octets(value);
	if (strcmp(line, "only unit") == 0 || strcmp(line, "loopback no") == 0) /* we are on 127.0.0.1 */
		reader->unit_only = true;
}

static inline void
read_dialogue(struct reader *reader, char *text)
{
	char *line;

	while ((line = next_line(&text)) != NULL) {
		assert_true(reader->count < 512);
		reader->lines[reader->count++] = line;
		set_account(reader, line);
		if (strcmp(line, "NEXT") == 0 || strcmp(line, "BESIDE") == 0)
			reader->mail++;
		assert_true(reader->mail < MAILS_MAX);
		if (strcmp(line, "BESIDE") == 0)
			reader->beside = play.numbered = play.mails[reader->mail].beside = true;
		set_mail(reader, line);
		if (strcmp(line, "EOF PART") == 0) /* more than fits between us and the relay */
			set_body_octets(&play.mails[reader->mail], "5242880");
		reader->quits = reader->quits || strcmp(line, "QUIT") == 0;
		reader->stays = strncmp(line, "EOF", 3) == 0 || strncmp(line, "S: 4", 4) == 0;
		reader->stays = reader->stays || (strcmp(line, "= closed") == 0 && !reader->quits);
	}
	for (unsigned i = 0; i < play.mail_count; i++)
		if (!play.mails[i].body_given)
			(void)nd_buf_adds(&play.mails[i].body, "hello\r\n");
	play.stays = reader->stays;
}

static inline char *
slurp(const char *path)
{
	FILE *file = fopen(path, "r");
	struct nd_buf text;
	char chunk[4096];
	size_t got;

	assert_non_null(file);
	nd_buf_init(&text, 1024 * 1024);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		(void)nd_buf_add(&text, chunk, got);
	(void)fclose(file);
	assert_false(text.failed);
	(void)nd_buf_addc(&text, '\n');
	return nd_buf_take(&text, NULL);
}

/* " uncertain" of mail n, as it is in the file. */
static inline void
check_mark(const struct reader *reader, const char *path, unsigned n, const char *mark)
{
	bool expected = false;
	char line[64];

	(void)snprintf(line, sizeof(line), "=%u%s", n, mark);
	for (size_t i = 0; i < reader->count; i++)
		expected = expected || strcmp(reader->lines[i], line) == 0;
	if (was_done(line) != expected)
		fail_msg("%s: \"%s\" is wrong in:\n%s", path, line, nd_buf_text(&play.did));
}

static inline void
check_dialogue(const struct reader *reader, const char *path)
{
	static const char *const marks[] = { "= uncertain", "= unharmed", "= misfit", "= token-refused" };
	bool expected[4] = { false, false, false, false };

	for (size_t i = 0; i < reader->count; i++) {
		const char *line = reader->lines[i], *value;

		for (size_t m = 0; m < 4; m++)
			expected[m] = expected[m] || strcmp(line, marks[m]) == 0;
		if (line[0] != '=')
			continue;
		if (line[1] != ' ' && (strstr(line, " words ") != NULL || strstr(line, " unsaid ") != NULL))
			continue; /* only those of the last mail are kept */
		if ((value = value_of(line, "= challenge")) != NULL ? strcmp(play.challenge, value) != 0
		    : (value = value_of(line, "= words")) != NULL   ? strstr(play.words, value) == NULL
		    : (value = value_of(line, "= unsaid")) != NULL  ? strstr(play.words, value) != NULL
								    : !was_done(line))
			fail_msg(
			    "%s: \"%s\" is missing in:\n%s(words: %s)", path, line, nd_buf_text(&play.did), play.words);
	}
	for (size_t m = 0; m < 4 && !reader->beside; m++)
		if (was_done(marks[m]) != expected[m])
			fail_msg("%s: \"%s\" is wrong in:\n%s", path, marks[m], nd_buf_text(&play.did));
	for (unsigned n = 0; n < play.mail_count * 3 && reader->beside; n++)
		check_mark(reader, path, n / 3 + 1, marks[n % 3] + 1);
}

/* Plays one file, or only says whether it is for sockets. */
static inline bool
play_file(const char *path, bool really)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	char *text = slurp(path);
	bool ours;

	assert_non_null(reader);
	forget_dialogue();
	read_dialogue(reader, text);
	ours = !reader->unit_only && !(reader->beside && play.from_file); /* those are in memory */
	if (ours && really) {
		run();
		check_dialogue(reader, path);
	}
	free(reader);
	free(text);
	return ours;
}

#endif
