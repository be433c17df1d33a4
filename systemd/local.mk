# systemd/ - units, user and folders. Paths are filled in here: configure leaves ${prefix} in them.
dist_systemdsystemunit_DATA = %D%/notifyd.socket %D%/notifyd-admin.socket
nodist_systemdsystemunit_DATA = %D%/notifyd.service
UNIT_TEMPLATES = %D%/notifyd.service.in %D%/notifyd.tmpfiles.in
EXTRA_DIST += $(UNIT_TEMPLATES) %D%/notifyd.sysusers
CLEANFILES += %D%/notifyd.service %D%/notifyd.tmpfiles
noinst_DATA = %D%/notifyd.tmpfiles

%D%/notifyd.service: %D%/notifyd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' $(srcdir)/%D%/notifyd.service.in > $@.new && \
	    mv $@.new $@
%D%/notifyd.tmpfiles: %D%/notifyd.tmpfiles.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(SED) -e 's|@sysconfdir[@]|$(sysconfdir)|g' $(srcdir)/%D%/notifyd.tmpfiles.in > $@.new && mv $@.new $@

# Installed as notifyd.conf, the name these folders want.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) $(srcdir)/%D%/notifyd.sysusers '$(DESTDIR)$(sysusersdir)/notifyd.conf'
	$(INSTALL_DATA) %D%/notifyd.tmpfiles '$(DESTDIR)$(tmpfilesdir)/notifyd.conf'
uninstall-local:
	rm -f '$(DESTDIR)$(sysusersdir)/notifyd.conf' '$(DESTDIR)$(tmpfilesdir)/notifyd.conf'
