dnl SPDX-License-Identifier: Apache-2.0
dnl ND_CC_FLAGS(VARIABLE, FLAGS): adds each flag that the compiler takes without a word.
AC_DEFUN([ND_CC_FLAGS], [
for nd_flag in m4_normalize([$2]); do
  AS_VAR_PUSHDEF([nd_cache], [nd_cv_cc_$nd_flag])
  AC_CACHE_CHECK([whether $CC takes $nd_flag], [nd_cache], [
    nd_saved=$CFLAGS
    CFLAGS="$CFLAGS -Werror $nd_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([nd_cache], [yes])], [AS_VAR_SET([nd_cache], [no])])
    CFLAGS=$nd_saved])
  AS_VAR_IF([nd_cache], [yes], [$1="$$1 $nd_flag"])
  AS_VAR_POPDEF([nd_cache])
done])

dnl ND_LINK_FLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([ND_LINK_FLAGS], [
for nd_flag in m4_normalize([$2]); do
  AS_VAR_PUSHDEF([nd_cache], [nd_cv_link_$nd_flag])
  AC_CACHE_CHECK([whether $CC links with $nd_flag], [nd_cache], [
    nd_saved=$LDFLAGS nd_saved_c=$CFLAGS
    LDFLAGS="$LDFLAGS $nd_flag" CFLAGS="$CFLAGS $ND_CFLAGS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([nd_cache], [yes])], [AS_VAR_SET([nd_cache], [no])])
    LDFLAGS=$nd_saved CFLAGS=$nd_saved_c])
  AS_VAR_IF([nd_cache], [yes], [$1="$$1 $nd_flag"])
  AS_VAR_POPDEF([nd_cache])
done])

dnl ND_DIR(NAME, DEFAULT, WHAT): a folder that --with-NAME=DIR sets.
AC_DEFUN([ND_DIR], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [where $3 go])], [$1=$withval], [$1="$2"])
AC_SUBST([$1])])
