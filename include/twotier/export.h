/* twotier/export.h: which symbols the shared library exports. */
#ifndef TWOTIER_EXPORT_H
#define TWOTIER_EXPORT_H

#if defined(__GNUC__)
#define TT_API __attribute__((visibility("default")))
#else
#define TT_API
#endif

#endif
