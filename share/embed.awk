# SPDX-License-Identifier: Apache-2.0
# embed.awk - a text file as a C string, for common/explain_built_in.c. -v header=FILE declares it, -v name=SYMBOL names it.
BEGIN {
  print "/* SPDX-License-Identifier: Apache-2.0 */"
  print "/* Made by share/embed.awk: do not edit. */"
  printf "#include \"%s\"\n\nconst char %s[] =\n", header, name
}
/^#/ || /^$/ { print "\"\\n\""; next } # comments count as lines alone
{
  gsub(/\\/, "\\\\")
  gsub(/"/, "\\\"")
  print "\"" $0 "\\n\""
}
END { print ";" }
