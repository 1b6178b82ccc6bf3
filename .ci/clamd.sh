# ClamAV's daemon, for the tests that start one with a signature of their own. It needs no signatures from elsewhere.
install_clamd() {
  apt-get install -y -qq --no-install-recommends clamav-daemon >/dev/null
  export TEST_CLAMD=/usr/sbin/clamd
}
