// SPDX-License-Identifier: MIT
//
// The main function of every test program. `build/tests/unit --test-case='*address*'` runs a part of one.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
