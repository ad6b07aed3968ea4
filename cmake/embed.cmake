# embed(TARGET SYMBOL FILE): FILE's bytes in TARGET as `extern const unsigned char SYMBOL[]; extern const size_t SYMBOL_size`.
# The file is read by the assembler (.incbin), so that a megabyte costs no compile time.
function(embed target symbol file)
  set(asm ${CMAKE_CURRENT_BINARY_DIR}/embed/${symbol}.S)
  file(CONFIGURE OUTPUT ${asm} CONTENT [[
  .section .rodata
  .balign 16
  .globl @symbol@
@symbol@:
  .incbin "@file@"
@symbol@_end:
  .byte 0
  .balign 8
  .globl @symbol@_size
@symbol@_size:
  .quad @symbol@_end - @symbol@
  .section .note.GNU-stack,"",@progbits
]] @ONLY)
  set_source_files_properties(${asm} PROPERTIES LANGUAGE ASM OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${asm})
endfunction()
