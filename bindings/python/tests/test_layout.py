"""The structs for ctypes. A C program holds the same sizes to a C compiler."""

import ctypes


def test_structs_have_the_sizes_that_c_gives_them(mixgrpo):
    from mixgrpo import _abi

    assert {struct: ctypes.sizeof(struct) for struct in _abi.SIZES} == _abi.SIZES
