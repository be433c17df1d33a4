/* SPDX-License-Identifier: Apache-2.0 */
/* stamp.c - wall-clock times as text, UTC only.  Layer: common, base.  Pure (no libc calendar). */
#include "common/stamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000
/* 0001-01-01 and 9999-12-31T23:59:59.999: what four digits of a year can show. */
#define FIRST_MS (-INT64_C(62135596800000))
#define LAST_MS INT64_C(253402300799999)

struct civil {
	int year, month, day;
	int hour, minute, second, ms;
	int weekday; /* 0 Sunday */
};

/* Days since 1970-01-01 of a date of the Gregorian calendar. Years begin in March here, so the leap day is the last. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static struct civil
civil_of(nd_unix when)
{
	struct civil c;
	int64_t days, rest, era, n, year, month;

	when = when < FIRST_MS ? FIRST_MS : when > LAST_MS ? LAST_MS : when;
	days = when / DAY_MS - (when % DAY_MS < 0);
	rest = when - days * DAY_MS;
	c.weekday = (int)(((days + 4) % 7 + 7) % 7);
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	n = days - era * 146097;
	year = (n - n / 1460 + n / 36524 - n / 146096) / 365;
	n -= 365 * year + year / 4 - year / 100;
	month = (5 * n + 2) / 153;
	c.day = (int)(n - (153 * month + 2) / 5 + 1);
	c.month = (int)(month < 10 ? month + 3 : month - 9);
	c.year = (int)(year + era * 400 + (c.month <= 2));
	c.hour = (int)(rest / 3600000);
	c.minute = (int)(rest / 60000 % 60);
	c.second = (int)(rest / 1000 % 60);
	c.ms = (int)(rest % 1000);
	return c;
}

const char *
nd_stamp_rfc3339(nd_unix when, char out[ND_STAMP_SIZE])
{
	struct civil c = civil_of(when);

	(void)snprintf(out, ND_STAMP_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year % 10000, c.month % 100,
	    c.day % 100, c.hour % 100, c.minute % 100, c.second % 100, c.ms % 1000);
	return out;
}

/* The last two digits. Every mail has such a date: by hand they take a tenth of what printf takes. */
static void
put_two(char *out, int number)
{
	out[0] = (char)('0' + number / 10 % 10);
	out[1] = (char)('0' + number % 10);
}

const char *
nd_stamp_rfc5322(nd_unix when, char out[ND_STAMP_SIZE])
{
	static const char *const weekdays[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
		"Nov", "Dec" };
	struct civil c = civil_of(when);

	memcpy(out, "Ddd, DD Mmm YYYY HH:MM:SS +0000", sizeof("Ddd, DD Mmm YYYY HH:MM:SS +0000"));
	memcpy(out, weekdays[c.weekday], 3);
	put_two(out + 5, c.day);
	memcpy(out + 8, months[c.month - 1], 3);
	put_two(out + 12, c.year / 100);
	put_two(out + 14, c.year);
	put_two(out + 17, c.hour);
	put_two(out + 20, c.minute);
	put_two(out + 23, c.second);
	return out;
}

/* Exactly `count` digits, within [min, max]. */
static bool
read_number(const char **text, int count, int min, int max, int *out)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	if (value < min || value > max)
		return false;
	*text += count;
	*out = value;
	return true;
}

static bool
read_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static bool
read_date(const char **text, struct civil *c)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap;

	if (!read_number(text, 4, 1, 9999, &c->year) || !read_char(text, '-') ||
	    !read_number(text, 2, 1, 12, &c->month) || !read_char(text, '-') || !read_number(text, 2, 1, 31, &c->day))
		return false;
	leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
	return c->day <= lengths[c->month - 1] + (leap && c->month == 2);
}

/* 1 to 9 digits, of which three count. */
static bool
read_fraction(const char **text, int *ms)
{
	int weight = 100, digits = 0;

	for (*ms = 0; **text >= '0' && **text <= '9'; (*text)++) {
		*ms += (**text - '0') * weight;
		weight /= 10;
		digits++;
	}
	return digits >= 1 && digits <= 9;
}

static bool
read_time(const char **text, struct civil *c)
{
	if (!read_number(text, 2, 0, 23, &c->hour) || !read_char(text, ':') ||
	    !read_number(text, 2, 0, 59, &c->minute) || !read_char(text, ':') ||
	    !read_number(text, 2, 0, 60, &c->second))
		return false;
	return !read_char(text, '.') || read_fraction(text, &c->ms);
}

static bool
read_offset(const char **text, nd_ms *offset)
{
	int hours, minutes;
	bool minus = **text == '-';

	if (read_char(text, 'Z') || read_char(text, 'z'))
		return true;
	if (!read_char(text, '+') && !read_char(text, '-'))
		return false;
	if (!read_number(text, 2, 0, 23, &hours) || !read_char(text, ':') || !read_number(text, 2, 0, 59, &minutes))
		return false;
	*offset = (ND_HOUR(hours) + ND_MIN(minutes)) * (minus ? -1 : 1);
	return true;
}

bool
nd_stamp_read(const char *text, nd_unix *out)
{
	struct civil c = { .year = 0 };
	nd_ms offset = 0;
	nd_unix when;

	if (!read_date(&text, &c))
		return false;
	if (*text != '\0') {
		if (!read_char(&text, 'T') && !read_char(&text, 't') && !read_char(&text, ' '))
			return false;
		if (!read_time(&text, &c) || !read_offset(&text, &offset) || *text != '\0')
			return false;
	}
	when = days_of(c.year, c.month, c.day) * DAY_MS + ND_HOUR(c.hour) + ND_MIN(c.minute) + ND_SEC(c.second) + c.ms -
	       offset;
	if (when < FIRST_MS || when > LAST_MS) /* by its offset or a leap second: it could not be written */
		return false;
	*out = when;
	return true;
}

const char *
nd_stamp_span(nd_ms span, char out[ND_STAMP_SIZE])
{
	int64_t s = span > 0 ? span / 1000 : 0;

	if (s < 60)
		(void)snprintf(out, ND_STAMP_SIZE, "%" PRId64 "s", s);
	else if (s < 3600)
		(void)snprintf(out, ND_STAMP_SIZE, "%" PRId64 "m", s / 60);
	else if (s < 86400)
		(void)snprintf(out, ND_STAMP_SIZE, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
	else
		(void)snprintf(out, ND_STAMP_SIZE, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
	return out;
}
