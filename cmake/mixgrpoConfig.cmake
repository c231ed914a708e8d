# Describes an installed libmixgrpo: the imported target mixgrpo::mixgrpo, for C and C++.
#
#   find_package(mixgrpo 0.1 REQUIRED)
#   target_link_libraries(my_program PRIVATE mixgrpo::mixgrpo)
#
# All paths are relative to this file, so that an installation can be moved.
if(TARGET mixgrpo::mixgrpo)
  return()
endif()

get_filename_component(_mixgrpo_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." REALPATH)
foreach(_mixgrpo_file lib/libmixgrpo.so.0 include/mixgrpo.h)
  if(NOT EXISTS "${_mixgrpo_prefix}/${_mixgrpo_file}")
    set(mixgrpo_FOUND FALSE)
    set(mixgrpo_NOT_FOUND_MESSAGE "expected ${_mixgrpo_prefix}/${_mixgrpo_file}, got none")
    return()
  endif()
endforeach()

add_library(mixgrpo::mixgrpo SHARED IMPORTED)
set_target_properties(mixgrpo::mixgrpo PROPERTIES
  IMPORTED_LOCATION "${_mixgrpo_prefix}/lib/libmixgrpo.so.0"
  IMPORTED_SONAME libmixgrpo.so.0
  INTERFACE_INCLUDE_DIRECTORIES "${_mixgrpo_prefix}/include")
