"""Data sets of faces as published, from a folder or a zip, with what is known of each face.

| `data.name` | what lies there | attributes | label |
|---|---|---|---|
| `utkface` | `30_1_2_20170116174525125.jpg.chip.jpg` | age, age_band, gender, race | gender |
| `celeba` | `000001.jpg`, list_attr_celeba.txt | the 40, as 1 and -1; person | Male |
| `lfw` | `Ada_Byron/Ada_Byron_0001.jpg` | person | person |
| `ffhq` | `00000.png` | none | none: all are 0 |
| `tufts` | `TD_RGB_E/7/TD_RGB_E_1.jpg` | person, modality, expression | modality |
| `yale` | `subject01.happy` | person, condition, glasses, light | condition |
| `real_and_fake` | `training_fake/easy_1_1110.jpg` | kind, difficulty, left_eye, ... | kind |
| `mask_detection` | `images/a.png`, `annotations/a.xml` | mask | mask |

Folders around that make no difference. Every image has the attribute `path` besides. Labels number
the values of one attribute from 0, in sorted order. A reader is one file of this package.
"""

from icm_jax.data.faces.loading import READERS, load

__all__ = ["READERS", "load"]
