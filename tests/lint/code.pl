#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# code.pl FILE - the file's code: comments and the contents of strings become blanks, lines stay where they are.
use strict;
use warnings;
local $/;
open(my $in, '<', $ARGV[0]) or die "$ARGV[0]: $!\n";
my $text = <$in>;
sub blank { my $t = shift; $t =~ s/[^\n]/ /g; return $t; }
$text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}{
	defined $1 ? blank($1) : substr($2, 0, 1) . blank(substr($2, 1, -1)) . substr($2, -1)}gse;
print $text;
