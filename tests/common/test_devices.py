from emaki.common.devices import computes_bf16


def test_whether_a_cpu_computes_bf16_is_read_from_its_flags():
    assert computes_bf16("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n")
    assert computes_bf16("Features\t: fp asimd i8mm bf16\n")
    assert not computes_bf16("flags\t\t: fpu avx2 fma bmi2\nmodel name\t: no bf16\n")
